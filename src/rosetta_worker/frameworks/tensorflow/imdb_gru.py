"""The GRU on IMDB reviews in TensorFlow's core, without Keras."""

import tensorflow as tf

from .layers import GRU, Dense, Embedding


class Network(tf.Module):
    """An embedding, a GRU of which the last output counts, and a dense layer."""

    def __init__(self):
        super().__init__()
        self.embedding = Embedding(30000, 125)
        self.gru = GRU(125, 100)
        self.dense = Dense(100, 2)

    def __call__(self, reviews, training=False):
        """Map reviews, (batch, 150) tokens, to logits, (batch, 2)."""
        x = self.embedding(tf.transpose(reviews))  # (150, batch, 125): time comes first
        return self.dense(self.gru(x))


def loss_function(labels, logits):
    """Softmax cross-entropy, mean over the batch."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


class Optimizer(tf.Module):
    """Adam as in the paper: ε is added to the corrected root; TensorFlow's operation adds it before the correction."""

    def __init__(self, variables, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        super().__init__()
        self.learning_rate, self.beta_1, self.beta_2, self.epsilon = learning_rate, beta_1, beta_2, epsilon
        self.step = tf.Variable(0.0, trainable=False)
        self.means = [tf.Variable(tf.zeros_like(w), trainable=False) for w in variables]
        self.mean_squares = [tf.Variable(tf.zeros_like(w), trainable=False) for w in variables]

    def apply_gradients(self, gradients, variables):
        """Update the variables in place."""
        t = self.step.assign_add(1.0)
        epsilon = self.epsilon * tf.sqrt(1 - self.beta_2**t)
        for g, w, m, v in zip(gradients, variables, self.means, self.mean_squares):
            tf.raw_ops.ResourceApplyAdam(
                var=w.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=self.beta_1**t,
                beta2_power=self.beta_2**t,
                lr=self.learning_rate,
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=epsilon,
                grad=tf.convert_to_tensor(g),  # an embedding's is sparse, but Adam moves all its rows
            )


def make_train_step(network, optimizer, jit_compile=None):
    """Return the training step; tf.function traces it into a graph when it is first called."""

    @tf.function(jit_compile=jit_compile)
    def train_step(reviews, labels):
        with tf.GradientTape() as tape:
            loss = loss_function(labels, network(reviews, training=True))
        variables = network.trainable_variables
        optimizer.apply_gradients(tape.gradient(loss, variables), variables)
        return loss

    return train_step


def train(train_step, batches):
    """Train on batches of (reviews, labels) and return the losses."""
    losses = []
    for reviews, labels in batches:
        losses.append(train_step(reviews, labels))
    return losses
