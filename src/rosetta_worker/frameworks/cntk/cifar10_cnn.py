"""The "Rosetta Stone" convolutional network on CIFAR-10 in CNTK."""

import cntk as C
from cntk.layers import Convolution2D, Dense, Dropout, MaxPooling, Sequential


def create_network():
    """Build the network: four 3 × 3 convolutions and two dense layers."""
    image = C.input_variable((3, 32, 32))
    label = C.input_variable(10)  # one-hot

    model = Sequential(
        [
            Convolution2D((3, 3), 50, pad=True, activation=C.relu, name="conv1"),
            Convolution2D((3, 3), 50, pad=True, name="conv2"),
            MaxPooling((2, 2), strides=2),
            C.relu,
            Dropout(0.25),
            Convolution2D((3, 3), 100, pad=True, activation=C.relu, name="conv3"),
            Convolution2D((3, 3), 100, pad=True, name="conv4"),
            MaxPooling((2, 2), strides=2),
            C.relu,
            Dropout(0.25),
            Dense(512, activation=C.relu, name="dense1"),
            Dropout(0.5),
            Dense(10, name="dense2"),
        ]
    )
    logits = model(image)
    loss = C.cross_entropy_with_softmax(logits, label)
    return {"image": image, "label": label, "output": logits, "loss": loss}


def create_trainer(network):
    """Bind the network to its loss and its optimiser: SGD with momentum, which in CNTK has unit gain unless told."""
    learner = C.momentum_sgd(
        network["output"].parameters,
        lr=0.01,
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
