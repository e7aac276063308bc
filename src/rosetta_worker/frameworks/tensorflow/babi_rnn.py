"""The two-branch LSTM on bAbI in TensorFlow's core, without Keras."""

import tensorflow as tf

from .layers import LSTM, Dense, Dropout, Embedding
from .optimizers import Adam


class Network(tf.Module):
    """An LSTM reads the question; another one reads the story, the question's vector added to each of its words."""

    def __init__(self, vocabulary, story_length):
        super().__init__()
        self.story_length = story_length
        self.story_embedding = Embedding(vocabulary, 50)
        self.dropout1 = Dropout(0.3)
        self.question_embedding = Embedding(vocabulary, 50)
        self.dropout2 = Dropout(0.3)
        self.question_lstm = LSTM(50, 50)
        self.lstm = LSTM(50, 50)
        self.dropout3 = Dropout(0.3)
        self.dense = Dense(50, vocabulary)

    def __call__(self, story, question, training=False):
        """Map stories, (batch, story_length) tokens, and questions, (batch, words), to logits, (batch, vocabulary)."""
        story = self.story_embedding(tf.transpose(story))  # (story_length, batch, 50): time comes first
        story = self.dropout1(story, training)

        question = self.question_embedding(tf.transpose(question))
        question = self.question_lstm(self.dropout2(question, training))
        question = tf.repeat(question[tf.newaxis], self.story_length, axis=0)

        x = self.dropout3(self.lstm(story + question), training)
        return self.dense(x)


def loss_function(labels, logits):
    """Softmax cross-entropy, mean over the batch."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def make_optimizer(variables):
    """Adam, with ε added before the bias correction, as Keras and the workload have it."""
    return Adam(variables, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7)


def make_train_step(network, optimizer, jit_compile=None):
    """Return the training step; tf.function traces it into a graph when it is first called."""

    @tf.function(jit_compile=jit_compile)
    def train_step(story, question, labels):
        with tf.GradientTape() as tape:
            loss = loss_function(labels, network(story, question, training=True))
        variables = network.trainable_variables
        optimizer.apply_gradients(tape.gradient(loss, variables), variables)
        return loss

    return train_step


def train(train_step, batches):
    """Train on batches of (story, question, labels) and return the losses."""
    losses = []
    for story, question, labels in batches:
        losses.append(train_step(story, question, labels))
    return losses
