"""The recurrent network with a cell of one's own on MNIST in CNTK."""

import cntk as C
from cntk.layers import Dense, Fold, Sequential


def MinimalGatedUnit(units, name=""):
    """A step (h, x) → h, for ``Recurrence`` or ``Fold``, with one gate, f (Zhou, Wu, Zhang & Zhou 2016)."""
    # Those of the gate and of the candidate, f and c, side by side.
    W = C.Parameter((C.InferredDimension, 2 * units), init=C.glorot_uniform(), name="W")
    H = C.Parameter((units, 2 * units), init=C.glorot_uniform(), name="H")
    b = C.Parameter(2 * units, init=0, name="b")

    def part(x, number):
        return C.slice(x, -1, number * units, (number + 1) * units)

    @C.BlockFunction("MinimalGatedUnit", name)
    def step(h, x):
        inputs = C.times(x, W) + b  # not part of the loop: CNTK computes it for all time steps at once
        f = C.sigmoid(part(inputs, 0) + C.times(h, part(H, 0)))
        c = C.tanh(part(inputs, 1) + C.times(f * h, part(H, 1)))
        return (1 - f) * h + f * c

    return step


def create_network():
    """Build the network: the unit reads an image row by row; a dense layer takes its last output."""
    image = C.input_variable((28, 28))
    label = C.input_variable(10)  # one-hot

    model = Sequential([Fold(MinimalGatedUnit(128, name="cell")), Dense(10, name="dense")])
    logits = model(C.to_sequence(image))
    loss = C.cross_entropy_with_softmax(logits, label)
    return {"image": image, "label": label, "output": logits, "loss": loss}


def create_trainer(network):
    """Bind the network to its loss and its optimiser: SGD with momentum, which in CNTK has unit gain unless told."""
    learner = C.momentum_sgd(
        network["output"].parameters,
        lr=0.1,
        momentum=0.9,
        unit_gain=False,
        minibatch_size=C.learners.IGNORE,  # rates are per minibatch, gradients its mean
    )
    return C.Trainer(network["output"], (network["loss"], None), [learner])


def train(trainer, network, batches):
    """Train on batches of (images, one-hot labels) and return the losses."""
    losses = []
    for images, labels in batches:
        trainer.train_minibatch({network["image"]: images, network["label"]: labels})
        losses.append(trainer.previous_minibatch_loss_average)
    return losses
