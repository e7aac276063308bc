"""The GPT on characters of IMDB reviews in Keras."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable()
class TiedEmbedding(layers.Embedding):
    """An embedding whose table can also be the output layer."""

    def call(self, inputs, reverse=False):
        """Map tokens to vectors, (…, features), or in reverse vectors to logits, (…, vocabulary)."""
        return ops.matmul(inputs, ops.transpose(self.embeddings)) if reverse else super().call(inputs)

    def compute_output_spec(self, inputs, reverse=False):
        """Say what shape comes out, as Keras asks where it builds a model; that of ``Embedding`` knows no reverse."""
        shape = (*inputs.shape[:-1], self.input_dim) if reverse else (*inputs.shape, self.output_dim)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)


@keras.saving.register_keras_serializable()
class PositionEmbedding(layers.Layer):
    """Adds a learned vector to each position."""

    def __init__(self, embeddings_initializer, **kwargs):
        super().__init__(**kwargs)
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)

    def build(self, input_shape):
        """Add the table, (time, features)."""
        self.embeddings = self.add_weight(
            shape=input_shape[1:], initializer=self.embeddings_initializer, name="embeddings"
        )

    def call(self, inputs):
        """Keep the shape, (batch, time, features)."""
        return inputs + self.embeddings

    def get_config(self):
        """Return what the layer is made with, for files that describe the network."""
        initializer = keras.initializers.serialize(self.embeddings_initializer)
        return {**super().get_config(), "embeddings_initializer": initializer}


@keras.saving.register_keras_serializable()
class CausalSelfAttention(layers.Layer):
    """Attention of several heads, in which each position sees itself and those before; it has no weights."""

    def __init__(self, heads, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads

    def call(self, qkv):
        """Map queries, keys and values side by side, (batch, time, 3 · features), to (batch, time, features)."""
        _, time, width = qkv.shape
        shape = (-1, time, self.heads, width // 3 // self.heads)
        q, k, v = (ops.reshape(part, shape) for part in ops.split(qkv, 3, axis=-1))
        x = ops.dot_product_attention(q, k, v, is_causal=True)
        return ops.reshape(x, (-1, time, width // 3))

    def get_config(self):
        """Return what the layer is made with, for files that describe the network."""
        return {**super().get_config(), "heads": self.heads}


def block(x, name, features, heads, blocks):
    """Add causal self-attention and a feed-forward network, each behind a normalisation and added to its input."""

    def dense(units, part, stddev=0.02):
        initializer = keras.initializers.RandomNormal(stddev=stddev)
        return layers.Dense(units, use_bias=False, kernel_initializer=initializer, name=f"{name}_{part}")

    def norm(part):
        return layers.LayerNormalization(epsilon=1e-5, center=False, name=f"{name}_{part}")

    into_the_sum = 0.02 / (2 * blocks) ** 0.5  # what is added up grows with the number of blocks
    y = dense(3 * features, "qkv")(norm("norm1")(x))
    y = CausalSelfAttention(heads, name=f"{name}_attention")(y)
    x = layers.add([x, dense(features, "projection", into_the_sum)(y)])

    y = dense(4 * features, "expand")(norm("norm2")(x))
    y = layers.Activation("gelu", name=f"{name}_gelu")(y)  # the exact one, which is Keras' default
    return layers.add([x, dense(features, "contract", into_the_sum)(y)])


def make_model(vocabulary=97, time=64, features=128, heads=4, blocks=4):
    """Build and compile the network: embeddings, four blocks, and the characters' table once more, logits out."""
    initializer = keras.initializers.RandomNormal(stddev=0.02)
    embedding = TiedEmbedding(vocabulary, features, embeddings_initializer=initializer, name="tokens")
    characters = keras.Input(shape=(time,), dtype="int32")
    x = PositionEmbedding(initializer, name="positions")(embedding(characters))
    for index in range(blocks):
        x = block(x, f"blocks_{index}", features, heads, blocks)
    logits = embedding(layers.LayerNormalization(epsilon=1e-5, center=False, name="norm")(x), reverse=True)
    model = keras.Model(characters, logits)

    # Keras adds ε before the correction of the bias, lr·√(1−β₂ᵗ)/(1−β₁ᵗ)·m / (√v + ε); the workload after it.
    optimizer = keras.optimizers.AdamW(
        learning_rate=keras.optimizers.schedules.CosineDecay(
            0.001 / 101, decay_steps=1900, alpha=0.1, warmup_target=0.001, warmup_steps=100
        ),
        weight_decay=0.1,
        beta_1=0.9,
        beta_2=0.99,
        epsilon=1e-8,
        global_clipnorm=1.0,
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma"])  # the normalisations' scales; matrices are decayed
    model.compile(optimizer=optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def train(model, characters, labels, batch_size=12):
    """Train on characters and those that follow, (samples, 64), batch by batch, and return the mean loss."""
    history = model.fit(characters, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
