"""The "Rosetta Stone" GRU on IMDB reviews in CNTK."""

import cntk as C
from cntk.layers import Dense, Fold, Sequential

from .layers import GRU, Embedding


def create_network():
    """Build the network: an embedding, a GRU's last output and a dense layer."""
    review = C.sequence.input_variable(())  # tokens, as floats
    label = C.input_variable(2)  # one-hot

    model = Sequential(
        [
            Embedding(30_000, 125, name="embedding"),
            Fold(GRU(100, name="gru")),
            Dense(2, name="dense"),
        ]
    )
    logits = model(review)
    loss = C.cross_entropy_with_softmax(logits, label)
    return {"review": review, "label": label, "output": logits, "loss": loss}


def create_trainer(network):
    """Bind the network to its loss and its optimiser: Adam; CNTK adds ε before the bias correction."""
    learner = C.adam(
        network["output"].parameters,
        lr=0.001,
        momentum=0.9,
        variance_momentum=0.999,
        epsilon=1e-8,
        unit_gain=True,  # with which the paper's mean of gradients is (1 − β₁)·g + β₁·m
        minibatch_size=C.learners.IGNORE,  # rates are per minibatch, gradients its mean
    )
    return C.Trainer(network["output"], (network["loss"], None), [learner])


def train(trainer, network, batches):
    """Train on batches of (reviews, one-hot labels) and return the losses."""
    losses = []
    for reviews, labels in batches:
        trainer.train_minibatch({network["review"]: reviews, network["label"]: labels})
        losses.append(trainer.previous_minibatch_loss_average)
    return losses
