"""Keras' convolutional network on augmented CIFAR-10 in CNTK."""

import cntk as C
from cntk.layers import Convolution2D, Dense, Dropout, MaxPooling, Sequential


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


def rmsprop(parameters, gradients, count, mean_squares):
    """RMSprop as a CNTK expression: C.rmsprop is another algorithm, which adapts each weight's step size as well."""
    step = C.assign(count, count + 1)
    rate = 1e-4 / (1 + 1e-6 * (step - 1))  # falls with every step
    updates = []
    for w, g, mean_square in zip(parameters, gradients, mean_squares):
        v = C.assign(mean_square, 0.9 * mean_square + 0.1 * g * g)
        # An update function is given the sum of the gradients of the minibatch's 32 samples: ε grows with it.
        updates.append(C.assign(w, w - rate * g / (C.sqrt(v) + 32 * 1e-7)))
    return C.combine(updates)


def create_trainer(network):
    """Bind the network to its loss and its optimiser, whose state CNTK's checkpoints leave out: the network has it."""
    parameters = network["output"].parameters
    count = C.constant(0, (), parameters[0].dtype)
    mean_squares = [C.constant(0, w.shape, w.dtype) for w in parameters]
    learner = C.universal(lambda w, g: rmsprop(w, g, count, mean_squares), parameters)
    network["learner_state"] = [count, *mean_squares]
    return C.Trainer(network["output"], (network["loss"], None), [learner])


def train(trainer, network, batches):
    """Train on batches of (images, one-hot labels) and return the losses."""
    losses = []
    for images, labels in batches:
        trainer.train_minibatch({network["image"]: images, network["label"]: labels})
        losses.append(trainer.previous_minibatch_loss_average)
    return losses
