"""The recurrent network with a cell of one's own on MNIST in TensorFlow's core, without Keras."""

import tensorflow as tf

from .layers import Dense, glorot_uniform, orthogonal
from .optimizers import SGD


class MinimalGatedUnit(tf.Module):
    """A recurrent layer with one gate, f, and one bias (Zhou, Wu, Zhang & Zhou 2016)."""

    def __init__(self, in_features, units):
        super().__init__()
        self.units = units
        # Those of the gate and of the candidate, f and c, side by side.
        self.input_weight = tf.Variable(glorot_uniform((in_features, 2 * units), in_features, 2 * units))
        self.recurrent_weight = tf.Variable(orthogonal(units, 2 * units))
        self.bias = tf.Variable(tf.zeros(2 * units))

    def __call__(self, x):
        """Map (time, batch, in) to the last output, (batch, units)."""
        inputs = tf.nn.bias_add(tf.tensordot(x, self.input_weight, axes=1), self.bias)  # of all time steps at once
        weight_f, weight_c = tf.split(self.recurrent_weight, 2, axis=1)
        time, batch, _ = inputs.shape
        steps = tf.TensorArray(inputs.dtype, time).unstack(inputs)
        h = tf.zeros((batch, self.units), inputs.dtype)
        for t in tf.range(time):
            input_f, input_c = tf.split(steps.read(t), 2, axis=1)
            f = tf.sigmoid(input_f + tf.matmul(h, weight_f))
            c = tf.tanh(input_c + tf.matmul(f * h, weight_c))
            h = (1 - f) * h + f * c
        return h


class Network(tf.Module):
    """The unit reads an image row by row; a dense layer takes its last output."""

    def __init__(self):
        super().__init__()
        self.cell = MinimalGatedUnit(28, 128)
        self.dense = Dense(128, 10)

    def __call__(self, images, training=False):
        """Map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10)."""
        rows = tf.transpose(images, (1, 0, 2))  # time comes first
        return self.dense(self.cell(rows))


def loss_function(labels, logits):
    """Softmax cross-entropy, mean over the batch."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def make_optimizer(variables):
    """SGD with momentum; there is no unit gain."""
    return SGD(variables, learning_rate=0.1, momentum=0.9)


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
