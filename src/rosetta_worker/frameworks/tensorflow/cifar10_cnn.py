"""The "Rosetta Stone" convolutional network on CIFAR-10 in TensorFlow's core, without Keras."""

import tensorflow as tf

from .layers import Conv2D, Dense, Dropout
from .optimizers import SGD


class Network(tf.Module):
    """Four 3 × 3 convolutions and two dense layers."""

    def __init__(self):
        super().__init__()
        self.conv1 = Conv2D(3, 50, 3, padding="SAME")
        self.conv2 = Conv2D(50, 50, 3, padding="SAME")
        self.dropout1 = Dropout(0.25)
        self.conv3 = Conv2D(50, 100, 3, padding="SAME")
        self.conv4 = Conv2D(100, 100, 3, padding="SAME")
        self.dropout2 = Dropout(0.25)
        self.dense1 = Dense(8 * 8 * 100, 512)
        self.dropout3 = Dropout(0.5)
        self.dense2 = Dense(512, 10)

    def __call__(self, x, training=False):
        """Map images, (batch, 32, 32, 3), to logits, (batch, 10)."""
        x = tf.nn.relu(self.conv1(x))
        x = tf.nn.relu(tf.nn.max_pool2d(self.conv2(x), ksize=2, strides=2, padding="VALID"))
        x = self.dropout1(x, training)

        x = tf.nn.relu(self.conv3(x))
        x = tf.nn.relu(tf.nn.max_pool2d(self.conv4(x), ksize=2, strides=2, padding="VALID"))
        x = self.dropout2(x, training)

        x = tf.reshape(x, (-1, 8 * 8 * 100))
        x = self.dropout3(tf.nn.relu(self.dense1(x)), training)
        return self.dense2(x)


def loss_function(labels, logits):
    """Softmax cross-entropy, mean over the batch."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def make_optimizer(variables):
    """SGD with momentum; there is no unit gain."""
    return SGD(variables, learning_rate=0.01, momentum=0.9)


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
