"""Keras' convolutional network on augmented CIFAR-10 in CNTK."""

import cntk as C
from cntk.layers import Convolution2D, Dense, Dropout, MaxPooling, Sequential

from .optimizers import rmsprop


def create_network():
    """Build the network: four 3 × 3 convolutions, two of them padded, and two dense layers."""
    image = C.input_variable((3, 32, 32))
    label = C.input_variable(10)  # one-hot

    model = Sequential(
        [
            Convolution2D((3, 3), 32, pad=True, activation=C.relu, name="conv1"),
            Convolution2D((3, 3), 32, activation=C.relu, name="conv2"),
            MaxPooling((2, 2), strides=2),
            Dropout(0.25),
            Convolution2D((3, 3), 64, pad=True, activation=C.relu, name="conv3"),
            Convolution2D((3, 3), 64, activation=C.relu, name="conv4"),
            MaxPooling((2, 2), strides=2),
            Dropout(0.25),
            Dense(512, activation=C.relu, name="dense1"),
            Dropout(0.5),
            Dense(10, name="dense2"),
        ]
    )
    logits = model(image)
    loss = C.cross_entropy_with_softmax(logits, label)
    return {"image": image, "label": label, "output": logits, "loss": loss}


def create_trainer(network, minibatch_size=32):
    """Bind the network to its loss and its optimiser: RMSprop with a falling rate, whose state the network keeps."""
    learner, network["learner_state"] = rmsprop(
        network["output"].parameters, lr=1e-4, rho=0.9, epsilon=1e-7, minibatch_size=minibatch_size, decay=1e-6
    )
    return C.Trainer(network["output"], (network["loss"], None), [learner])


def train(trainer, network, batches):
    """Train on batches of (images, one-hot labels) and return the losses."""
    losses = []
    for images, labels in batches:
        trainer.train_minibatch({network["image"]: images, network["label"]: labels})
        losses.append(trainer.previous_minibatch_loss_average)
    return losses
