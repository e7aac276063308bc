"""The "Rosetta Stone" GRU on IMDB reviews in PyTensor."""

import pytensor
import pytensor.tensor as pt

from .layers import GRU, Dense, Embedding
from .optimizers import Adam


class Network:
    """An embedding, a GRU's last output and a dense layer."""

    def __init__(self):
        self.embedding = Embedding(30_000, 125)
        self.gru = GRU(125, 100)
        self.dense = Dense(100, 2)

    def __call__(self, x):
        """Map tokens, (batch, 150), to logits, (batch, 2)."""
        x = self.embedding(x.T)  # (150, batch, 125): time comes first
        return self.dense(self.gru(x))


def make_variables():
    """The variables that stand for a batch: its reviews and its labels."""
    return pt.tensor("reviews", shape=(None, 150), dtype="int32"), pt.ivector("labels")


def loss_function(logits, labels):
    """Mean cross-entropy."""
    log_probabilities = pt.special.log_softmax(logits, axis=1)
    return -log_probabilities[pt.arange(labels.shape[0]), labels].mean()


def make_optimizer(parameters):
    """Adam as in the paper: ε is added to the corrected root."""
    return Adam(parameters, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8, epsilon_after_correction=True)


def make_train_function(network, optimizer):
    """Compile one step of training, which updates the shared variables and returns the loss."""
    reviews, labels = make_variables()
    loss = loss_function(network(reviews), labels)
    return pytensor.function([reviews, labels], loss, updates=optimizer.updates(loss))


def train(train_function, batches):
    """Train on batches of (reviews, labels) and return the losses."""
    losses = []
    for reviews, labels in batches:
        losses.append(train_function(reviews, labels))
    return losses
