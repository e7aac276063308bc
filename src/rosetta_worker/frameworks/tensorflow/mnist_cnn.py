"""The convolutional network on MNIST in TensorFlow's core, without Keras."""

import tensorflow as tf

from .layers import Conv2D, Dense, Dropout
from .optimizers import Adadelta


class Network(tf.Module):
    """Two 3 × 3 convolutions and two dense layers."""

    def __init__(self):
        super().__init__()
        self.conv1 = Conv2D(1, 32, 3, padding="VALID")
        self.conv2 = Conv2D(32, 64, 3, padding="VALID")
        self.dropout1 = Dropout(0.25)
        self.dense1 = Dense(12 * 12 * 64, 128)
        self.dropout2 = Dropout(0.5)
        self.dense2 = Dense(128, 10)

    def __call__(self, x, training=False):
        """Map images, (batch, 28, 28, 1), to logits, (batch, 10)."""
        x = tf.nn.relu(self.conv1(x))
        x = tf.nn.relu(self.conv2(x))
        x = tf.nn.max_pool2d(x, ksize=2, strides=2, padding="VALID")
        x = self.dropout1(x, training)

        x = tf.reshape(x, (-1, 12 * 12 * 64))
        x = self.dropout2(tf.nn.relu(self.dense1(x)), training)
        return self.dense2(x)


def loss_function(labels, logits):
    """Softmax cross-entropy, mean over the batch."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def make_optimizer(variables):
    """Adadelta, with ε inside both roots, as the workload has it."""
    return Adadelta(variables, learning_rate=1.0, rho=0.95, epsilon=1e-7)


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
