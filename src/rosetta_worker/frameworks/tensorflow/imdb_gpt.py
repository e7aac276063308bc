"""The GPT on characters of IMDB reviews in TensorFlow's core, without Keras."""

import math

import tensorflow as tf

from .optimizers import AdamW


class Linear(tf.Module):
    """(…, in) → (…, out), without bias."""

    def __init__(self, in_features, out_features, stddev=0.02, name=None):
        super().__init__(name)
        self.weight = tf.Variable(tf.random.normal((in_features, out_features), stddev=stddev))

    def __call__(self, x):
        return tf.tensordot(x, self.weight, axes=1)


class Embedding(tf.Module):
    """A table of vectors."""

    def __init__(self, rows, features):
        super().__init__()
        self.weight = tf.Variable(tf.random.normal((rows, features), stddev=0.02))


class LayerNorm(tf.Module):
    """Normalises the features of each position; there is no shift."""

    def __init__(self, features, name=None):
        super().__init__(name)
        self.scale = tf.Variable(tf.ones(features))

    def __call__(self, x):
        mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, None, self.scale, variance_epsilon=1e-5)


class Block(tf.Module):
    """Causal self-attention and a feed-forward network, each behind a normalisation and added to its input."""

    def __init__(self, features, heads, blocks, name):
        super().__init__(name)
        into_the_sum = 0.02 / math.sqrt(2 * blocks)  # what is added up grows with the number of blocks
        self.heads = heads
        self.norm1 = LayerNorm(features, name=f"{name}_norm1")
        self.qkv = Linear(features, 3 * features, name=f"{name}_qkv")
        self.projection = Linear(features, features, into_the_sum, name=f"{name}_projection")
        self.norm2 = LayerNorm(features, name=f"{name}_norm2")
        self.expand = Linear(features, 4 * features, name=f"{name}_expand")
        self.contract = Linear(4 * features, features, into_the_sum, name=f"{name}_contract")

    def attention(self, x):
        """Map (batch, time, features) to the same shape: each position sees itself and those before."""
        batch, time, features = x.shape
        shape = (batch, time, 3, self.heads, features // self.heads)
        q, k, v = tf.unstack(tf.transpose(tf.reshape(self.qkv(x), shape), (2, 0, 3, 1, 4)))
        scores = tf.matmul(q, k, transpose_b=True) / math.sqrt(features // self.heads)
        seen = tf.linalg.band_part(tf.ones((time, time), tf.bool), -1, 0)
        weights = tf.nn.softmax(tf.where(seen, scores, scores.dtype.min))
        x = tf.transpose(tf.matmul(weights, v), (0, 2, 1, 3))
        return self.projection(tf.reshape(x, (batch, time, features)))

    def __call__(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.contract(tf.nn.gelu(self.expand(self.norm2(x))))


class Network(tf.Module):
    """Embeddings of characters and positions, four blocks, and the characters' table once more as the output layer."""

    def __init__(self, vocabulary=97, time=64, features=128, heads=4, blocks=4):
        super().__init__()
        self.tokens = Embedding(vocabulary, features)
        self.positions = Embedding(time, features)
        self.blocks = [Block(features, heads, blocks, f"blocks_{index}") for index in range(blocks)]
        self.norm = LayerNorm(features)

    def __call__(self, tokens, training=False):
        """Map characters, (batch, time), to the next ones' logits, (batch, time, vocabulary)."""
        x = tf.nn.embedding_lookup(self.tokens.weight, tokens) + self.positions.weight
        for block in self.blocks:
            x = block(x)
        return tf.tensordot(self.norm(x), self.tokens.weight, axes=[-1, -1])


def loss_function(labels, logits):
    """Softmax cross-entropy, mean over the batch and all positions."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def learning_rate(step):
    """Return the rate after so many steps: a warm-up, then half a cosine down to a tenth."""
    cosine = 1 + tf.cos(math.pi * tf.minimum(1.0, (step - 100) / 1900))
    return tf.where(step < 100, 0.001 * (step + 1) / 101, 0.0001 + 0.00045 * cosine)


def make_optimizer(variables):
    """AdamW that only decays matrices, whose rate follows the schedule."""
    return AdamW(variables, learning_rate, beta_1=0.9, beta_2=0.99, epsilon=1e-8, weight_decay=0.1)


def make_train_step(network, optimizer, jit_compile=None):
    """Return the training step; tf.function traces it into a graph when it is first called."""

    @tf.function(jit_compile=jit_compile)
    def train_step(tokens, labels):
        with tf.GradientTape() as tape:
            loss = loss_function(labels, network(tokens, training=True))
        variables = network.trainable_variables
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, variables), 1.0)
        optimizer.apply_gradients(gradients, variables)
        return loss

    return train_step


def train(train_step, batches):
    """Train on batches of (characters, following characters) and return the losses."""
    losses = []
    for tokens, labels in batches:
        losses.append(train_step(tokens, labels))
    return losses
