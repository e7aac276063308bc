"""The convolutional network on MNIST in CNTK."""

import cntk as C
from cntk.layers import Convolution2D, Dense, Dropout, MaxPooling, Sequential


def create_network():
    """Build the network: two 3 × 3 convolutions and two dense layers."""
    image = C.input_variable((1, 28, 28))
    label = C.input_variable(10)  # one-hot

    model = Sequential(
        [
            Convolution2D((3, 3), 32, activation=C.relu, name="conv1"),
            Convolution2D((3, 3), 64, activation=C.relu, name="conv2"),
            MaxPooling((2, 2), strides=2),
            Dropout(0.25),
            Dense(128, activation=C.relu, name="dense1"),
            Dropout(0.5),
            Dense(10, name="dense2"),
        ]
    )
    logits = model(image)
    loss = C.cross_entropy_with_softmax(logits, label)
    return {"image": image, "label": label, "output": logits, "loss": loss}


def create_trainer(network):
    """Bind the network to its loss and its optimiser: Adadelta with the whole step, learning rate 1."""
    learner = C.adadelta(
        network["output"].parameters,
        lr=1.0,
        rho=0.95,
        epsilon=1e-7,
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
