"""The TPU article's batch-normalised network on CIFAR-10 in CNTK."""

from math import log

import cntk as C
from cntk.layers import BatchNormalization, Convolution2D, Dense, Dropout, MaxPooling, Sequential


def create_network(minibatch_size=128):
    """Build the network: four 3 × 3 convolutions, batch normalisation before each pair, and two dense layers."""
    image = C.input_variable((3, 32, 32))
    label = C.input_variable(10)  # one-hot

    # CNTK counts in samples: after one minibatch 0.99 of the running statistics are left.
    time_constant = -minibatch_size / log(0.99)
    with C.default_options(map_rank=1, epsilon=1e-3, normalization_time_constant=time_constant):
        norm1 = BatchNormalization(name="norm1")
        norm2 = BatchNormalization(name="norm2")

    model = Sequential(
        [
            norm1,
            Convolution2D((3, 3), 32, pad=True, activation=C.relu, name="conv1"),
            Convolution2D((3, 3), 32, pad=True, activation=C.relu, name="conv2"),
            MaxPooling((2, 2), strides=2),
            Dropout(0.25),
            norm2,
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


def create_trainer(network):
    """Bind the network to its loss and its optimiser: Adam; CNTK adds ε before the bias correction, as Keras does."""
    learner = C.adam(
        network["output"].parameters,
        lr=0.001,
        momentum=0.9,
        variance_momentum=0.999,
        epsilon=1e-7,
        unit_gain=True,  # with which the paper's mean of gradients is (1 − β₁)·g + β₁·m
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
