"""The two-branch LSTM on bAbI in PyTensor."""

import numpy as np
import pytensor
import pytensor.tensor as pt

from .layers import LSTM, Dense, Dropout, Embedding, parameter, zeros_like


class Network:
    """An LSTM reads the question; another one reads the story, the question's vector added to each of its words."""

    def __init__(self, vocabulary, story_length):
        self.story_embedding = Embedding(vocabulary, 50)
        self.dropout1 = Dropout(0.3)
        self.question_embedding = Embedding(vocabulary, 50)
        self.dropout2 = Dropout(0.3)
        self.question_lstm = LSTM(50, 50)
        self.lstm = LSTM(50, 50)
        self.dropout3 = Dropout(0.3)
        self.dense = Dense(50, vocabulary)

    def __call__(self, story, question, training=False):
        """Map tokens, (batch, story_length) and (batch, question's length), to logits, (batch, vocabulary)."""
        story = self.dropout1(self.story_embedding(story.T), training)  # time comes first

        question = self.dropout2(self.question_embedding(question.T), training)
        question = self.question_lstm(question)

        x = self.lstm(story + question)  # broadcast over the story's length
        x = self.dropout3(x, training)
        return self.dense(x)


def make_variables():
    """The variables that stand for a batch: its stories, its questions and its labels."""
    return pt.imatrix("stories"), pt.imatrix("questions"), pt.ivector("labels")


def loss_function(logits, labels):
    """Mean cross-entropy."""
    log_probabilities = pt.special.log_softmax(logits, axis=1)
    return -log_probabilities[pt.arange(labels.shape[0]), labels].mean()


class Optimizer:
    """Adam as Keras has it: ε is added before the bias correction."""

    def __init__(self, parameters):
        self.parameters = parameters
        self.steps_done = parameter(np.zeros(()))
        self.means = [zeros_like(w) for w in parameters]
        self.mean_squares = [zeros_like(w) for w in parameters]
        self.state = [self.steps_done, *self.means, *self.mean_squares]

    def updates(self, loss, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        """Pair each variable that a step changes with the expression of its new value."""
        t = self.steps_done + 1
        rate = learning_rate * pt.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        updates = [(self.steps_done, t)]
        for w, m, v, g in zip(self.parameters, self.means, self.mean_squares, pytensor.grad(loss, self.parameters)):
            new_m = beta_1 * m + (1 - beta_1) * g
            new_v = beta_2 * v + (1 - beta_2) * g**2
            updates += [(m, new_m), (v, new_v), (w, w - rate * new_m / (pt.sqrt(new_v) + epsilon))]
        return updates


def make_train_function(network, optimizer):
    """Compile one step of training, which updates the shared variables and returns the loss."""
    stories, questions, labels = make_variables()
    loss = loss_function(network(stories, questions, training=True), labels)
    updates = optimizer.updates(loss)
    for layer in (network.dropout1, network.dropout2, network.dropout3):
        updates += layer.updates
    return pytensor.function([stories, questions, labels], loss, updates=updates)


def train(train_function, batches):
    """Train on batches of (stories, questions, labels) and return the losses."""
    losses = []
    for stories, questions, labels in batches:
        losses.append(train_function(stories, questions, labels))
    return losses
