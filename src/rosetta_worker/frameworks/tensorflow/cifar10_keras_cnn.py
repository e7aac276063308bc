"""Keras' convolutional network on augmented CIFAR-10 in TensorFlow's core, without Keras."""

import tensorflow as tf

from .layers import Conv2D, Dense, Dropout


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


class Optimizer(tf.Module):
    """RMSprop, with ε outside the root, and a learning rate that decays with every step."""

    def __init__(self, variables, learning_rate=1e-4, rho=0.9, epsilon=1e-7, decay=1e-6):
        super().__init__()
        self.learning_rate, self.rho, self.epsilon, self.decay = learning_rate, rho, epsilon, decay
        self.step = tf.Variable(0.0, trainable=False)
        self.mean_squares = [tf.Variable(tf.zeros_like(w), trainable=False) for w in variables]

    def apply_gradients(self, gradients, variables):
        """Update the variables in place."""
        learning_rate = self.learning_rate / (1 + self.decay * self.step)
        for g, w, v in zip(gradients, variables, self.mean_squares):
            v.assign(self.rho * v + (1 - self.rho) * tf.square(g))
            w.assign_sub(learning_rate * g / (tf.sqrt(v) + self.epsilon))
        self.step.assign_add(1.0)


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
