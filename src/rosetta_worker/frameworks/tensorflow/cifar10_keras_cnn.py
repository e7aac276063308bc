"""Keras' convolutional network on augmented CIFAR-10 in TensorFlow's core, without Keras."""

import tensorflow as tf

from .layers import Conv2D, Dense, Dropout
from .optimizers import RMSprop


class Network(tf.Module):
    """Four 3 × 3 convolutions and two dense layers."""

    def __init__(self):
        super().__init__()
        self.conv1 = Conv2D(3, 32, 3, padding="SAME")
        self.conv2 = Conv2D(32, 32, 3, padding="VALID")
        self.dropout1 = Dropout(0.25)
        self.conv3 = Conv2D(32, 64, 3, padding="SAME")
        self.conv4 = Conv2D(64, 64, 3, padding="VALID")
        self.dropout2 = Dropout(0.25)
        self.dense1 = Dense(6 * 6 * 64, 512)
        self.dropout3 = Dropout(0.5)
        self.dense2 = Dense(512, 10)

    def __call__(self, x, training=False):
        """Map images, (batch, 32, 32, 3), to logits, (batch, 10)."""
        x = tf.nn.relu(self.conv1(x))
        x = tf.nn.relu(self.conv2(x))
        x = tf.nn.max_pool2d(x, ksize=2, strides=2, padding="VALID")
        x = self.dropout1(x, training)

        x = tf.nn.relu(self.conv3(x))
        x = tf.nn.relu(self.conv4(x))
        x = tf.nn.max_pool2d(x, ksize=2, strides=2, padding="VALID")
        x = self.dropout2(x, training)

        x = tf.reshape(x, (-1, 6 * 6 * 64))
        x = self.dropout3(tf.nn.relu(self.dense1(x)), training)
        return self.dense2(x)


def loss_function(labels, logits):
    """Softmax cross-entropy, mean over the batch."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def learning_rate(steps_done):
    """A schedule: 1e-4, slowly falling."""
    return 1e-4 / (1 + 1e-6 * steps_done)


def make_optimizer(variables):
    """RMSprop, with ε outside the root, as the workload has it."""
    return RMSprop(variables, learning_rate, rho=0.9, epsilon=1e-7)


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
