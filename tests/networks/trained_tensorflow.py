"""The network of trained.py in TensorFlow's core."""

import tensorflow as tf


class Norm(tf.Module):
    def __init__(self, channels):
        super().__init__()
        self.scale, self.shift = tf.Variable(tf.ones(channels)), tf.Variable(tf.zeros(channels))
        self.mean = tf.Variable(tf.zeros(channels), trainable=False)
        self.variance = tf.Variable(tf.ones(channels), trainable=False)

    def __call__(self, x, training=False):
        if not training:
            return tf.nn.batch_normalization(x, self.mean, self.variance, self.shift, self.scale, 1e-5)
        mean, variance = tf.nn.moments(x, [0, 1, 2])
        self.mean.assign(0.9 * self.mean + 0.1 * mean)
        self.variance.assign(0.9 * self.variance + 0.1 * variance)
        return tf.nn.batch_normalization(x, mean, variance, self.shift, self.scale, 1e-5)


class Conv(tf.Module):
    def __init__(self):
        super().__init__()
        self.kernel = tf.Variable(tf.random.normal((3, 3, 3, 4), stddev=0.2))
        self.bias = tf.Variable(tf.zeros(4))

    def __call__(self, x):
        return tf.nn.bias_add(tf.nn.conv2d(x, self.kernel, 1, "VALID"), self.bias)


class Net(tf.Module):
    def __init__(self):
        super().__init__()
        self.conv = Conv()
        self.norm = Norm(4)
        self.weight = tf.Variable(tf.random.normal((144, 5), stddev=0.1))
        self.bias = tf.Variable(tf.zeros(5))

    def __call__(self, x, training=False):
        x = self.norm(self.conv(x), training)
        return tf.nn.bias_add(tf.reshape(tf.tanh(x), (-1, 144)) @ self.weight, self.bias)


def loss(outputs, targets):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs))


def make_optimizer(network):
    return tf.keras.optimizers.AdamW(1e-3, weight_decay=0.1, epsilon=1e-8)
