"""The multi-layer perceptron on MNIST in CNTK."""

import cntk as C
from cntk.layers import Dense, Dropout, Sequential


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


def rmsprop(parameters, gradients, mean_squares):
    """RMSprop as a CNTK expression: C.rmsprop is another algorithm, which adapts each weight's step size as well."""
    updates = []
    for w, g, mean_square in zip(parameters, gradients, mean_squares):
        v = C.assign(mean_square, 0.9 * mean_square + 0.1 * g * g)
        # An update function is given the sum of the gradients of the minibatch's 128 samples: ε grows with it.
        updates.append(C.assign(w, w - 0.001 * g / (C.sqrt(v) + 128 * 1e-7)))
    return C.combine(updates)


def create_trainer(network):
    """Bind the network to its loss and its optimiser, whose state CNTK's checkpoints leave out: the network has it."""
    parameters = network["output"].parameters
    mean_squares = [C.constant(0, w.shape, w.dtype) for w in parameters]
    learner = C.universal(lambda w, g: rmsprop(w, g, mean_squares), parameters)
    network["learner_state"] = mean_squares
    return C.Trainer(network["output"], (network["loss"], None), [learner])


def train(trainer, network, batches):
    """Train on batches of (images, one-hot labels) and return the losses."""
    losses = []
    for images, labels in batches:
        trainer.train_minibatch({network["image"]: images, network["label"]: labels})
        losses.append(trainer.previous_minibatch_loss_average)
    return losses
