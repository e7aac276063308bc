"""The hierarchical LSTM on MNIST in tinygrad."""

from tinygrad import Context, TinyJit, nn

from .optimizers import RMSprop
from .recurrent import LSTM


class Network:
    """An LSTM over the pixels of each row, another one over the rows, and a dense layer."""

    def __init__(self):
        self.row_lstm = LSTM(1, 128)
        self.image_lstm = LSTM(128, 128)
        self.dense = nn.Linear(128, 10)

    def __call__(self, x):
        """Map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10)."""
        x = self.row_lstm(x.reshape(-1, 28, 1))  # every row is a sequence of 28 pixels
        x = self.image_lstm(x.reshape(-1, 28, 128))  # every image is a sequence of 28 rows
        return self.dense(x)


def loss_function(logits, labels):
    """Softmax cross-entropy, mean over the batch."""
    return logits.sparse_categorical_crossentropy(labels)


def make_optimizer(network):
    """RMSprop, with ε outside the root as the workload has it."""
    return RMSprop(nn.state.get_parameters(network), lr=0.001, rho=0.9, eps=1e-7)


def make_train_step(network, optimizer):
    """Return the training step; TinyJit captures its kernels at the second call and from then on only runs them."""

    @TinyJit
    @Context(TRAINING=1)
    def train_step(images, labels):
        optimizer.zero_grad()
        loss = loss_function(network(images), labels).backward()
        return loss.realize(*optimizer.schedule_step())

    return train_step


def train(train_step, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        loss = train_step(images, labels)
        losses.append(loss.item())  # at once: the next step writes its loss to the same place
    return losses
