"""Ports of the networks in convolutional.py to TensorFlow's core."""

import tensorflow as tf


class Dense(tf.Module):
    def __init__(self, wanted, given):
        super().__init__()
        self.w = tf.Variable(tf.random.normal((given, wanted)))
        self.b = tf.Variable(tf.zeros(wanted))

    def __call__(self, x):
        return x @ self.w + self.b


class Conv(tf.Module):
    def __init__(self, wanted, given):
        super().__init__()
        self.w = tf.Variable(tf.random.normal((3, 3, given, wanted)))
        self.b = tf.Variable(tf.zeros(wanted))

    def __call__(self, x):
        return tf.nn.bias_add(tf.nn.conv2d(x, self.w, 1, "SAME"), self.b)


class BatchNorm(tf.Module):
    def __init__(self, channels, epsilon):
        super().__init__()
        self.epsilon = epsilon
        self.scale, self.shift = tf.Variable(tf.ones(channels)), tf.Variable(tf.zeros(channels))
        self.mean = tf.Variable(tf.zeros(channels), trainable=False)
        self.variance = tf.Variable(tf.ones(channels), trainable=False)

    def __call__(self, x, training):
        mean, variance = self.mean, self.variance
        if training:
            mean, variance = tf.nn.moments(x, (0, 1, 2))
            count = float(tf.size(x) // x.shape[-1])
            self.mean.assign(0.9 * self.mean + 0.1 * mean)
            self.variance.assign(0.9 * self.variance + 0.1 * variance * (count / (count - 1)))
        return tf.nn.batch_normalization(x, mean, variance, self.shift, self.scale, self.epsilon)


class Net(tf.Module):
    """The same, in training too: its running variance is PyTorch's."""

    def __init__(self, width=6, epsilon=1e-5):
        super().__init__()
        self.conv = Conv(width, 3)
        self.norm = BatchNorm(width, epsilon)
        self.sides = [Conv(width, width), Conv(width, width)]
        self.hidden = Dense(8, width * 16)
        self.out = Dense(5, 8)

    @tf.function
    def __call__(self, x, training=False):
        x = tf.nn.gelu(self.norm(self.conv(x), training))
        left, right = self.sides
        x = tf.nn.max_pool2d(left(x) + tf.tanh(right(x)), 2, 2, "VALID")
        x = tf.nn.relu(self.hidden(tf.reshape(x, (len(x), -1))))
        return self.out(tf.nn.dropout(x, 0.5) if training else x)


class Plain:
    """No tf.Module; the same as Plain."""

    def __init__(self):
        self.first = Conv(6, 3)
        self.weights = {"hidden": Dense(8, 6 * 64), "out": Dense(5, 8)}
        self.scale, self.shift = tf.Variable(tf.ones(8)), tf.Variable(tf.zeros(8))

    def __call__(self, x, training):
        x = tf.reshape(tf.nn.relu(self.first(x)), (len(x), -1))
        x = self.weights["hidden"](x)
        mean, variance = tf.nn.moments(x, -1, keepdims=True)
        x = tf.nn.batch_normalization(x, mean, variance, self.shift, self.scale, 1e-5)
        return self.weights["out"](tf.nn.dropout(x, 0.25) if training else x)
