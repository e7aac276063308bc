"""The two-branch LSTM on bAbI in PyTensor."""

import pytensor
import pytensor.tensor as pt

from .layers import LSTM, Dense, Dropout, Embedding
from .optimizers import Adam


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


def make_optimizer(parameters):
    """Adam as Keras has it: ε is added before the bias correction."""
    return Adam(parameters, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7)


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
