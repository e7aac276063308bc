"""The "Rosetta Stone" convolutional network on CIFAR-10 in tinygrad."""

from tinygrad import Context, TinyJit, nn

from .layers import Dropout


class Network:
    """Four 3 × 3 convolutions and two dense layers."""

    def __init__(self):
        self.conv1 = nn.Conv2d(3, 50, kernel_size=3, padding="same")
        self.conv2 = nn.Conv2d(50, 50, kernel_size=3, padding="same")
        self.dropout1 = Dropout(0.25)
        self.conv3 = nn.Conv2d(50, 100, kernel_size=3, padding="same")
        self.conv4 = nn.Conv2d(100, 100, kernel_size=3, padding="same")
        self.dropout2 = Dropout(0.25)
        self.dense1 = nn.Linear(100 * 8 * 8, 512)
        self.dropout3 = Dropout(0.5)
        self.dense2 = nn.Linear(512, 10)

    def __call__(self, x):
        """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
        x = self.conv1(x).relu()
        x = self.conv2(x).max_pool2d().relu()
        x = self.dropout1(x)

        x = self.conv3(x).relu()
        x = self.conv4(x).max_pool2d().relu()
        x = self.dropout2(x)

        x = self.dense1(x.flatten(1)).relu()
        x = self.dropout3(x)
        return self.dense2(x)


def loss_function(logits, labels):
    """Softmax cross-entropy, mean over the batch."""
    return logits.sparse_categorical_crossentropy(labels)


def make_optimizer(network):
    """SGD with momentum; tinygrad has no unit gain."""
    return nn.optim.SGD(nn.state.get_parameters(network), lr=0.01, momentum=0.9)


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
