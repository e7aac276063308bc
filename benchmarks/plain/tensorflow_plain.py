"""Both workloads in TensorFlow's core: what ``harness_cost.py`` holds Rosetta's figure for tensorflow against.

How it is called: see chunks.py.
"""

import tensorflow as tf
from chunks import channels_last, serve

glorot = tf.initializers.GlorotUniform(seed=0)


def weights(*shape):
    """A kernel and its bias."""
    return tf.Variable(glorot(shape)), tf.Variable(tf.zeros(shape[-1]))


class Mlp(tf.Module):
    batch_size = 128

    def __init__(self):
        super().__init__()
        self.w1, self.b1 = weights(784, 512)
        self.w2, self.b2 = weights(512, 512)
        self.w3, self.b3 = weights(512, 10)
        self.squares = [tf.Variable(tf.zeros_like(w), trainable=False) for w in self.trainable_variables]

    def __call__(self, x):
        x = tf.nn.dropout(tf.nn.relu(tf.matmul(x, self.w1) + self.b1), 0.2)
        x = tf.nn.dropout(tf.nn.relu(tf.matmul(x, self.w2) + self.b2), 0.2)
        return tf.matmul(x, self.w3) + self.b3

    def update(self, gradients):
        """RMSprop, ε outside the root."""
        for w, v, g in zip(self.trainable_variables, self.squares, gradients, strict=True):
            v.assign(0.9 * v + 0.1 * tf.square(g))
            w.assign_sub(0.001 * g / (tf.sqrt(v) + 1e-7))


class Cnn(tf.Module):
    batch_size = 64

    def __init__(self):
        super().__init__()
        self.k1, self.b1 = weights(3, 3, 3, 50)
        self.k2, self.b2 = weights(3, 3, 50, 50)
        self.k3, self.b3 = weights(3, 3, 50, 100)
        self.k4, self.b4 = weights(3, 3, 100, 100)
        self.w5, self.b5 = weights(6400, 512)
        self.w6, self.b6 = weights(512, 10)
        self.velocities = [tf.Variable(tf.zeros_like(w), trainable=False) for w in self.trainable_variables]

    def __call__(self, x):
        x = tf.nn.relu(tf.nn.conv2d(x, self.k1, 1, "SAME") + self.b1)
        x = tf.nn.relu(tf.nn.max_pool2d(tf.nn.conv2d(x, self.k2, 1, "SAME") + self.b2, 2, 2, "VALID"))
        x = tf.nn.dropout(x, 0.25)
        x = tf.nn.relu(tf.nn.conv2d(x, self.k3, 1, "SAME") + self.b3)
        x = tf.nn.relu(tf.nn.max_pool2d(tf.nn.conv2d(x, self.k4, 1, "SAME") + self.b4, 2, 2, "VALID"))
        x = tf.nn.dropout(x, 0.25)
        x = tf.nn.relu(tf.matmul(tf.reshape(x, (-1, 6400)), self.w5) + self.b5)
        return tf.matmul(tf.nn.dropout(x, 0.5), self.w6) + self.b6

    def update(self, gradients):
        """SGD with momentum."""
        for w, v, g in zip(self.trainable_variables, self.velocities, gradients, strict=True):
            v.assign(0.9 * v + g)
            w.assign_sub(0.01 * v)


def build(workload):
    tf.random.set_seed(0)
    model = {"mnist_mlp": Mlp, "cifar10_cnn": Cnn}[workload]()

    @tf.function
    def train_step(images, labels):
        with tf.GradientTape() as tape:
            logits = model(images)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        model.update(tape.gradient(loss, model.trainable_variables))
        return loss

    def prepare(images, labels):
        return [(tf.constant(x), tf.constant(y)) for x, y in zip(channels_last(images), labels, strict=True)]

    def train(batches):
        losses = [train_step(images, labels) for images, labels in batches]
        return float(tf.reduce_mean(losses))

    return model.batch_size, prepare, train


serve(build)
