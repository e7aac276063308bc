"""The multi-layer perceptron on MNIST in CNTK."""

import cntk as C
from cntk.layers import Dense, Dropout, Sequential

from .optimizers import rmsprop


def create_network():
    """Build the network: two hidden layers of 512 units with dropout."""
    image = C.input_variable(784)
    label = C.input_variable(10)  # one-hot

    model = Sequential(
        [
            Dense(512, activation=C.relu, name="dense1"),
            Dropout(0.2),
            Dense(512, activation=C.relu, name="dense2"),
            Dropout(0.2),
            Dense(10, name="dense3"),
        ]
    )
    logits = model(image)
    loss = C.cross_entropy_with_softmax(logits, label)
    return {"image": image, "label": label, "output": logits, "loss": loss}


def create_trainer(network, minibatch_size=128):
    """Bind the network to its loss and its optimiser: RMSprop, whose state the network keeps."""
    learner, network["learner_state"] = rmsprop(
        network["output"].parameters, lr=0.001, rho=0.9, epsilon=1e-7, minibatch_size=minibatch_size
    )
    return C.Trainer(network["output"], (network["loss"], None), [learner])


def train(trainer, network, batches):
    """Train on batches of (images, one-hot labels) and return the losses."""
    losses = []
    for images, labels in batches:
        trainer.train_minibatch({network["image"]: images, network["label"]: labels})
        losses.append(trainer.previous_minibatch_loss_average)
    return losses
