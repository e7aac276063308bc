"""The hierarchical LSTM on MNIST in CNTK."""

import cntk as C
from cntk.layers import LSTM, Dense, Fold, Sequential

from .optimizers import rmsprop


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


def create_trainer(network, minibatch_size=32):
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
