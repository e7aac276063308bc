"""The layers that the implementations share: TensorFlow's core has operations (tf.nn), not layers."""

import tensorflow as tf


def glorot_uniform(shape, fan_in, fan_out):
    """Draw initial weights (Glorot & Bengio 2010)."""
    limit = (6.0 / (fan_in + fan_out)) ** 0.5
    return tf.random.uniform(shape, -limit, limit)


def orthogonal(rows, columns):
    """Draw a matrix with orthonormal rows, of which there are fewer than columns (Saxe, McClelland & Ganguli 2014)."""
    q, r = tf.linalg.qr(tf.random.normal((columns, rows)))
    return tf.transpose(q * tf.sign(tf.linalg.diag_part(r)))


class Dense(tf.Module):
    """(batch, in) → (batch, out)."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.weight = tf.Variable(glorot_uniform((in_features, out_features), in_features, out_features))
        self.bias = tf.Variable(tf.zeros(out_features))

    def __call__(self, x):
        return tf.nn.bias_add(tf.matmul(x, self.weight), self.bias)


class Conv2D(tf.Module):
    """(batch, height, width, in) → (batch, …, out); ``padding`` is "SAME", "VALID", or the pixels on every side."""

    def __init__(self, in_channels, out_channels, size, padding, stride=1, bias=True, name=None):
        super().__init__(name)
        self.stride = stride
        self.padding = padding if isinstance(padding, str) else [[0, 0], [padding] * 2, [padding] * 2, [0, 0]]
        shape = (size, size, in_channels, out_channels)
        self.weight = tf.Variable(glorot_uniform(shape, in_channels * size**2, out_channels * size**2))
        self.bias = tf.Variable(tf.zeros(out_channels)) if bias else None

    def __call__(self, x):
        x = tf.nn.conv2d(x, self.weight, strides=self.stride, padding=self.padding)
        return x if self.bias is None else tf.nn.bias_add(x, self.bias)


class BatchNorm(tf.Module):
    """Normalises each channel by the batch's mean and variance in training, else by the running ones."""

    def __init__(self, channels, epsilon, momentum=0.99, name=None):
        super().__init__(name)
        self.epsilon, self.momentum = epsilon, momentum
        self.scale = tf.Variable(tf.ones(channels))
        self.shift = tf.Variable(tf.zeros(channels))
        self.running_mean = tf.Variable(tf.zeros(channels), trainable=False)
        self.running_variance = tf.Variable(tf.ones(channels), trainable=False)

    def __call__(self, x, training=False):
        if not training:
            return tf.raw_ops.FusedBatchNormV3(
                x=x,
                scale=self.scale,
                offset=self.shift,
                mean=self.running_mean,
                variance=self.running_variance,
                epsilon=self.epsilon,
                is_training=False,
            ).y
        mean, variance = tf.nn.moments(x, axes=[0, 1, 2])
        self.running_mean.assign(self.momentum * self.running_mean + (1 - self.momentum) * mean)
        self.running_variance.assign(self.momentum * self.running_variance + (1 - self.momentum) * variance)
        return tf.nn.batch_normalization(x, mean, variance, self.shift, self.scale, self.epsilon)


class Embedding(tf.Module):
    """Tokens of any shape → (…, features)."""

    def __init__(self, vocabulary, features):
        super().__init__()
        self.weight = tf.Variable(tf.random.uniform((vocabulary, features), -0.05, 0.05))

    def __call__(self, tokens):
        return tf.nn.embedding_lookup(self.weight, tokens)


class LSTM(tf.Module):
    """(time, batch, in) → the last output, (batch, units). Gates in the order of the fused operation: i, g, f, o."""

    def __init__(self, in_features, units):
        super().__init__()
        self.units = units
        self.fused = True
        self.input_weight = tf.Variable(glorot_uniform((in_features, 4 * units), in_features, 4 * units))
        self.recurrent_weight = tf.Variable(orthogonal(units, 4 * units))
        self.bias = tf.Variable(tf.repeat([0.0, 0.0, 1.0, 0.0], units))  # remembers at first

    def __call__(self, x):
        return self.block_lstm(x) if self.fused else self.loop(x)

    def block_lstm(self, x):
        """One operation for all time steps; the newer BlockLSTMV2 has a wrong gradient in TensorFlow 2.21."""
        time, batch, _ = x.shape
        zeros = tf.zeros((batch, self.units))
        unused = tf.zeros(self.units)  # weights of peepholes
        *_, outputs = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.constant(time, tf.int64),
            x=x,
            cs_prev=zeros,
            h_prev=zeros,
            w=tf.concat([self.input_weight, self.recurrent_weight], axis=0),
            wci=unused,
            wcf=unused,
            wco=unused,
            b=self.bias,
            forget_bias=0.0,
            cell_clip=-1.0,
        )
        return outputs[-1]

    def loop(self, x):
        """A loop of TensorFlow's; the inputs of all time steps are multiplied before it."""
        gates = tf.nn.bias_add(tf.tensordot(x, self.input_weight, axes=1), self.bias)
        time, batch, _ = gates.shape
        steps = tf.TensorArray(tf.float32, time).unstack(gates)
        weight = tf.convert_to_tensor(self.recurrent_weight)
        h = c = tf.zeros((batch, self.units))
        for t in tf.range(time):
            i, g, f, o = tf.split(steps.read(t) + tf.matmul(h, weight), 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
        return h


class GRU(tf.Module):
    """(time, batch, in) → the last output, (batch, units). Reset after the product, as cuDNN has it; gates r, z, n."""

    def __init__(self, in_features, units):
        super().__init__()
        self.units = units
        self.input_weight = tf.Variable(glorot_uniform((in_features, 3 * units), in_features, 3 * units))
        self.recurrent_weight = tf.Variable(orthogonal(units, 3 * units))
        self.input_bias = tf.Variable(tf.zeros(3 * units))
        self.recurrent_bias = tf.Variable(tf.zeros(3 * units))

    def __call__(self, x):
        gates = tf.nn.bias_add(tf.tensordot(x, self.input_weight, axes=1), self.input_bias)
        time, batch, _ = gates.shape
        steps = tf.TensorArray(tf.float32, time).unstack(gates)
        weight, bias = tf.convert_to_tensor(self.recurrent_weight), tf.convert_to_tensor(self.recurrent_bias)
        h = tf.zeros((batch, self.units))
        for t in tf.range(time):
            input_r, input_z, input_n = tf.split(steps.read(t), 3, axis=1)
            h_r, h_z, h_n = tf.split(tf.nn.bias_add(tf.matmul(h, weight), bias), 3, axis=1)
            r = tf.sigmoid(input_r + h_r)
            z = tf.sigmoid(input_z + h_z)
            n = tf.tanh(input_n + r * h_n)
            h = (1 - z) * n + z * h
        return h


class Dropout(tf.Module):
    """Drops a fraction of the activations while training and scales the others up."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def __call__(self, x, training):
        return tf.nn.dropout(x, self.rate) if training else x
