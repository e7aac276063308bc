"""The TPU article's batch-normalised network on CIFAR-10 in tinygrad."""

from tinygrad import Context, TinyJit, nn

from .layers import Dropout


class Network:
    """Four 3 × 3 convolutions, batch normalisation before each pair, and two dense layers."""

    def __init__(self):
        # tinygrad's momentum is the share of the batch's statistics, not of the running ones.
        self.norm1 = nn.BatchNorm(3, eps=1e-3, momentum=0.01)
        self.conv1 = nn.Conv2d(3, 32, kernel_size=3, padding="same")
        self.conv2 = nn.Conv2d(32, 32, kernel_size=3, padding="same")
        self.dropout1 = Dropout(0.25)
        self.norm2 = nn.BatchNorm(32, eps=1e-3, momentum=0.01)
        self.conv3 = nn.Conv2d(32, 64, kernel_size=3, padding="same")
        self.conv4 = nn.Conv2d(64, 64, kernel_size=3)
        self.dropout2 = Dropout(0.25)
        self.dense1 = nn.Linear(64 * 7 * 7, 512)
        self.dropout3 = Dropout(0.5)
        self.dense2 = nn.Linear(512, 10)

    def __call__(self, x):
        """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
        x = self.norm1(x)
        x = self.conv1(x).relu()
        x = self.conv2(x).relu()
        x = self.dropout1(x.max_pool2d())

        x = self.norm2(x)
        x = self.conv3(x).relu()
        x = self.conv4(x).relu()
        x = self.dropout2(x.max_pool2d())

        x = self.dense1(x.flatten(1)).relu()
        x = self.dropout3(x)
        return self.dense2(x)


def loss_function(logits, labels):
    """Softmax cross-entropy, mean over the batch."""
    return logits.sparse_categorical_crossentropy(labels)


def make_optimizer(network):
    """Adam as in the paper; the workload has Keras' form, which adds ε before the bias correction."""
    return nn.optim.Adam(nn.state.get_parameters(network), lr=0.001, b1=0.9, b2=0.999, eps=1e-7)


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
