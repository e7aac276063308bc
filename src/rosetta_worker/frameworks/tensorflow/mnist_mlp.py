"""The multi-layer perceptron on MNIST in TensorFlow's core, without Keras."""

import tensorflow as tf

from .layers import Dense, Dropout
from .optimizers import RMSprop


class Network(tf.Module):
    """Two hidden layers of 512 units with dropout."""

    def __init__(self):
        super().__init__()
        self.dense1 = Dense(784, 512)
        self.dropout1 = Dropout(0.2)
        self.dense2 = Dense(512, 512)
        self.dropout2 = Dropout(0.2)
        self.dense3 = Dense(512, 10)

    def __call__(self, x, training=False):
        """Map images, (batch, 784), to logits, (batch, 10)."""
        x = self.dropout1(tf.nn.relu(self.dense1(x)), training)
        x = self.dropout2(tf.nn.relu(self.dense2(x)), training)
        return self.dense3(x)


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
