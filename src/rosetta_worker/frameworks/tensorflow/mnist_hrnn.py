"""The hierarchical LSTM on MNIST in TensorFlow's core, without Keras."""

import tensorflow as tf

from .layers import LSTM, Dense
from .optimizers import RMSprop


class Network(tf.Module):
    """An LSTM reads each row pixel by pixel, a second one reads the rows' vectors."""

    def __init__(self):
        super().__init__()
        self.row_lstm = LSTM(1, 128)
        self.image_lstm = LSTM(128, 128)
        self.dense = Dense(128, 10)

    def __call__(self, images, training=False):
        """Map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10)."""
        pixels = tf.transpose(images, (2, 1, 0))  # time comes first
        rows = self.row_lstm(tf.reshape(pixels, (28, -1, 1)))  # all rows of all images are one large batch
        x = self.image_lstm(tf.reshape(rows, (28, -1, 128)))
        return self.dense(x)


def loss_function(labels, logits):
    """Softmax cross-entropy, mean over the batch."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def make_optimizer(variables):
    """RMSprop, with ε outside the root, as the workload has it."""
    return RMSprop(variables, learning_rate=0.001, rho=0.9, epsilon=1e-7)


def make_train_step(network, optimizer, jit_compile=None):
    """Return the training step; tf.function traces it into a graph when it is first called."""

    @tf.function(jit_compile=jit_compile)
    def train_step(images, labels):
        with tf.GradientTape() as tape:
            loss = loss_function(labels, network(images, training=True))
        variables = network.trainable_variables
        optimizer.apply_gradients(tape.gradient(loss, variables), variables)
        return loss

    return train_step


def train(train_step, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        losses.append(train_step(images, labels))
    return losses
