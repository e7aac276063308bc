"""The hierarchical LSTM on MNIST in CNTK."""

import cntk as C
from cntk.layers import LSTM, Dense, Fold, Sequential


def create_network():
    """Build the network: an LSTM over the pixels of each row, another one over the rows, and a dense layer."""
    image = C.input_variable((28, 28))
    label = C.input_variable(10)  # one-hot

    # CNTK has no sequences of sequences: the 28 rows go side by side through the first LSTM, a pixel each at a time.
    columns = C.to_sequence(C.transpose(image, (1, 0)))
    rows = Fold(LSTM(128, name="row_lstm"))(C.reshape(columns, (28, 1)))

    model = Sequential([Fold(LSTM(128, name="image_lstm")), Dense(10, name="dense")])
    logits = model(C.to_sequence(rows))
    loss = C.cross_entropy_with_softmax(logits, label)
    return {"image": image, "label": label, "output": logits, "loss": loss}


def rmsprop(parameters, gradients, mean_squares):
    """RMSprop as a CNTK expression: C.rmsprop is another algorithm, which adapts each weight's step size as well."""
    updates = []
    for w, g, mean_square in zip(parameters, gradients, mean_squares):
        v = C.assign(mean_square, 0.9 * mean_square + 0.1 * g * g)
        # An update function is given the sum of the gradients of the minibatch's 32 samples: ε grows with it.
        updates.append(C.assign(w, w - 0.001 * g / (C.sqrt(v) + 32 * 1e-7)))
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
