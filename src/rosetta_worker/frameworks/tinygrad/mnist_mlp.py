"""The multi-layer perceptron on MNIST in tinygrad."""

from tinygrad import Context, TinyJit, nn

from .layers import Dropout
from .optimizers import RMSprop


class Network:
    """Two hidden layers of 512 units with dropout."""

    def __init__(self):
        self.dense1 = nn.Linear(784, 512)
        self.dropout1 = Dropout(0.2)
        self.dense2 = nn.Linear(512, 512)
        self.dropout2 = Dropout(0.2)
        self.dense3 = nn.Linear(512, 10)

    def __call__(self, x):
        """Map images, (batch, 784), to logits, (batch, 10)."""
        x = self.dropout1(self.dense1(x).relu())
        x = self.dropout2(self.dense2(x).relu())
        return self.dense3(x)


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
