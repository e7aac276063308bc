"""The hierarchical LSTM on MNIST in Chainer."""

import chainer
import chainer.functions as F
import chainer.links as L


class Network(chainer.Chain):
    """An LSTM over the pixels of each row, another one over the rows, and a dense layer."""

    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.row_lstm = L.LSTM(1, 128)
            self.image_lstm = L.LSTM(128, 128)
            self.dense = L.Linear(128, 10)

    def forward(self, x):
        """Map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10)."""
        x = x.reshape(-1, 28, 1)  # every row is a sequence of 28 pixels
        x = last_output(self.row_lstm, x).reshape(-1, 28, 128)  # every image is a sequence of 28 rows
        return self.dense(last_output(self.image_lstm, x))


def last_output(lstm, x):
    """Call an LSTM, which keeps its state between calls, on every time step of (batch, time, features)."""
    lstm.reset_state()
    for x_t in F.separate(x, axis=1):
        h = lstm(x_t)
    return h


loss_function = F.softmax_cross_entropy


def make_optimizer(model):
    """RMSprop; Chainer adds ε outside the root unless told otherwise, as the workload does."""
    return chainer.optimizers.RMSprop(lr=0.001, alpha=0.9, eps=1e-7).setup(model)


def train(model, optimizer, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        loss = loss_function(model(images), labels)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(loss.array)
    return losses
