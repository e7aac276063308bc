"""The convolutional network on MNIST in tinygrad."""

from tinygrad import Context, TinyJit, nn

from .layers import Dropout
from .optimizers import Adadelta


class Network:
    """Two 3 × 3 convolutions and two dense layers."""

    def __init__(self):
        self.conv1 = nn.Conv2d(1, 32, kernel_size=3)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3)
        self.dropout1 = Dropout(0.25)
        self.dense1 = nn.Linear(64 * 12 * 12, 128)
        self.dropout2 = Dropout(0.5)
        self.dense2 = nn.Linear(128, 10)

    def __call__(self, x):
        """Map images, (batch, 1, 28, 28), to logits, (batch, 10)."""
        x = self.conv1(x).relu()
        x = self.conv2(x).relu()
        x = self.dropout1(x.max_pool2d())

        x = self.dense1(x.flatten(1)).relu()
        x = self.dropout2(x)
        return self.dense2(x)


def loss_function(logits, labels):
    """Softmax cross-entropy, mean over the batch."""
    return logits.sparse_categorical_crossentropy(labels)


def make_optimizer(network):
    """Adadelta, with ε inside both roots as the workload has it."""
    return Adadelta(nn.state.get_parameters(network), lr=1.0, rho=0.95, eps=1e-7)


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
