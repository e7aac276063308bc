"""The layers that the implementations share: TensorFlow's core has operations (tf.nn), not layers."""

import tensorflow as tf


def glorot_uniform(shape, fan_in, fan_out):
    """Draw initial weights (Glorot & Bengio 2010)."""
    limit = (6.0 / (fan_in + fan_out)) ** 0.5
    return tf.random.uniform(shape, -limit, limit)


class Dense(tf.Module):
    """(batch, in) → (batch, out)."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.kernel = tf.Variable(glorot_uniform((in_features, out_features), in_features, out_features))
        self.bias = tf.Variable(tf.zeros(out_features))

    def __call__(self, x):
        return tf.nn.bias_add(tf.matmul(x, self.kernel), self.bias)


class Conv2D(tf.Module):
    """(batch, height, width, in) → (batch, height, width, out), stride 1."""

    def __init__(self, in_channels, out_channels, size, padding):
        super().__init__()
        self.padding = padding
        shape = (size, size, in_channels, out_channels)
        self.kernel = tf.Variable(glorot_uniform(shape, in_channels * size**2, out_channels * size**2))
        self.bias = tf.Variable(tf.zeros(out_channels))

    def __call__(self, x):
        return tf.nn.bias_add(tf.nn.conv2d(x, self.kernel, strides=1, padding=self.padding), self.bias)


class Dropout(tf.Module):
    """Drops a fraction of the activations while training and scales the others up."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def __call__(self, x, training):
        return tf.nn.dropout(x, self.rate) if training else x
