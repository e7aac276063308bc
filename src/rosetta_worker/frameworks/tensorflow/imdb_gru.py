"""The GRU on IMDB reviews in TensorFlow's core, without Keras."""

import tensorflow as tf

from .layers import GRU, Dense, Embedding
from .optimizers import Adam


class Network(tf.Module):
    """An embedding, a GRU of which the last output counts, and a dense layer."""

    def __init__(self):
        super().__init__()
        self.embedding = Embedding(30000, 125)
        self.gru = GRU(125, 100)
        self.dense = Dense(100, 2)

    def __call__(self, reviews, training=False):
        """Map reviews, (batch, 150) tokens, to logits, (batch, 2)."""
        x = self.embedding(tf.transpose(reviews))  # (150, batch, 125): time comes first
        return self.dense(self.gru(x))


def loss_function(labels, logits):
    """Softmax cross-entropy, mean over the batch."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def make_optimizer(variables):
    """Adam as in the paper, ε after the bias correction, as the workload has it."""
    return Adam(variables, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8, epsilon_after_correction=True)


def make_train_step(network, optimizer, jit_compile=None):
    """Return the training step; tf.function traces it into a graph when it is first called."""

    @tf.function(jit_compile=jit_compile)
    def train_step(reviews, labels):
        with tf.GradientTape() as tape:
            loss = loss_function(labels, network(reviews, training=True))
        variables = network.trainable_variables
        optimizer.apply_gradients(tape.gradient(loss, variables), variables)
        return loss

    return train_step


def train(train_step, batches):
    """Train on batches of (reviews, labels) and return the losses."""
    losses = []
    for reviews, labels in batches:
        losses.append(train_step(reviews, labels))
    return losses
