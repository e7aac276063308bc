"""The convolutional network with an activation of one's own on CIFAR-10 in TensorFlow's core, without Keras."""

import tensorflow as tf

from .layers import Conv2D, Dense
from .optimizers import SGD


@tf.custom_gradient
def learned_swish(x, a, b):
    """y = a·x·σ(b·x) for (batch, height, width, channels), a and b one for each channel; and its derivatives."""
    s = tf.sigmoid(b * x)
    xs = x * s

    def gradient(dy):
        t = xs * (1 - s)
        da = tf.reduce_sum(dy * xs, axis=(0, 1, 2))
        db = tf.reduce_sum(dy * a * x * t, axis=(0, 1, 2))
        return dy * a * (s + b * t), da, db

    return a * xs, gradient


class OwnActivation(tf.Module):
    """The activation as a layer; with a = b = 1, as at first, it is Swish."""

    def __init__(self, channels):
        super().__init__()
        self.scale = tf.Variable(tf.ones(channels))
        self.slope = tf.Variable(tf.ones(channels))

    def __call__(self, x):
        """Keep the shape, (batch, height, width, channels)."""
        return learned_swish(x, tf.convert_to_tensor(self.scale), tf.convert_to_tensor(self.slope))


class Network(tf.Module):
    """Two 3 × 3 convolutions, each with the activation after it, and a dense layer."""

    def __init__(self):
        super().__init__()
        self.conv1 = Conv2D(3, 32, 3, padding="SAME")
        self.act1 = OwnActivation(32)
        self.conv2 = Conv2D(32, 64, 3, padding="SAME")
        self.act2 = OwnActivation(64)
        self.dense = Dense(8 * 8 * 64, 10)

    def __call__(self, x, training=False):
        """Map images, (batch, 32, 32, 3), to logits, (batch, 10)."""
        x = tf.nn.max_pool2d(self.act1(self.conv1(x)), ksize=2, strides=2, padding="VALID")
        x = tf.nn.max_pool2d(self.act2(self.conv2(x)), ksize=2, strides=2, padding="VALID")
        return self.dense(tf.reshape(x, (-1, 8 * 8 * 64)))


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
