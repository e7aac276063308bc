"""Ports to Keras 3, for any back end."""

import keras
from keras import layers, ops


def Cnn():
    """Images channels last; its running variance is the batch's own."""
    x = images = keras.Input((12, 8, 3))
    x = layers.Conv2D(8, 3, padding="same", name="conv1")(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name="norm1")(x)
    x = layers.ReLU()(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.ZeroPadding2D(1)(x)
    x = layers.Conv2D(12, 3, strides=2, name="conv2")(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name="norm2")(x)
    x = layers.ReLU()(x)
    x = layers.Add()([x, layers.Conv2D(12, 3, padding="same", name="conv3")(x)])
    x = layers.Flatten()(x)
    x = layers.Dense(16, name="fc1")(x)
    x = layers.Activation("gelu")(x)
    x = layers.Dropout(0.2)(x)
    return keras.Model(images, layers.Dense(5, name="fc2")(x))


def Lstm():
    x = tokens = keras.Input((9,), dtype="int32")
    x = layers.Embedding(50, 10, name="embed")(x)
    x = layers.LSTM(12, return_sequences=True, name="lstm")(x)
    x = x[:, -1]
    x = layers.LayerNormalization(epsilon=1e-5, name="norm")(x)
    x = layers.Dense(8, activation="tanh", name="fc")(x)
    x = layers.Dropout(0.3)(x)
    return keras.Model(tokens, layers.Dense(4, name="out")(x))


class Block(layers.Layer):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln1 = layers.LayerNormalization(epsilon=1e-5)
        self.query, self.key, self.value = layers.Dense(width), layers.Dense(width), layers.Dense(width)
        self.proj = layers.Dense(width)
        self.ln2 = layers.LayerNormalization(epsilon=1e-5)
        self.fc = layers.Dense(4 * width, activation="gelu")
        self.out = layers.Dense(width)

    def call(self, x):
        x = x + self.attend(self.ln1(x))
        return x + self.out(self.fc(self.ln2(x)))

    def attend(self, x):
        length, width = x.shape[1:]
        split = (-1, length, self.heads, width // self.heads)
        q, k, v = (ops.reshape(layer(x), split) for layer in (self.query, self.key, self.value))
        scores = ops.einsum("bqhd,bkhd->bhqk", q, k) / (width // self.heads) ** 0.5
        scores = ops.where(ops.tril(ops.ones((length, length), "bool")), scores, float("-inf"))
        weights = ops.softmax(scores, axis=-1)
        mixed = ops.einsum("bhqk,bkhd->bqhd", weights, v)
        return self.proj(ops.reshape(mixed, (-1, length, width)))


class Gpt(keras.Model):
    def __init__(self):
        super().__init__()
        self.tok = layers.Embedding(30, 16)
        self.pos = layers.Embedding(9, 16)
        self.blocks = [Block(16, 2) for _ in range(2)]
        self.norm = layers.LayerNormalization(epsilon=1e-5)
        self.head = layers.Dense(30, use_bias=False)

    def call(self, tokens):
        x = self.tok(tokens) + self.pos(ops.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))
