"""The convolutional network with an activation of one's own on CIFAR-10 in tinygrad."""

from tinygrad import Context, Tensor, TinyJit, function, nn


def swish_gradient(dy, call):
    """Map the loss's derivative with respect to y to those with respect to x, a and b, the call's arguments.

    tinygrad gives and takes UOps here, the expressions that Tensors are made of.
    """
    dy, x, a, b = map(Tensor, (dy, *call.src[1:]))
    s = (b * x).sigmoid()
    xs = x * s
    t = xs * (1 - s)
    dx, da, db = dy * a * (s + b * t), (dy * xs).sum((0, 2, 3)), (dy * a * x * t).sum((0, 2, 3))
    return dx.uop, da.reshape(a.shape).uop, db.reshape(b.shape).uop


@function(grad_fxn=swish_gradient)
def learned_swish(x, a, b):
    """y = a·x·σ(b·x) for (batch, channels, height, width), a and b (channels, 1, 1)."""
    return a * x * (b * x).sigmoid()


class OwnActivation:
    """The activation as a layer; with a = b = 1, as at first, it is Swish."""

    def __init__(self, channels):
        self.scale = Tensor.ones(channels)
        self.slope = Tensor.ones(channels)

    def __call__(self, x):
        """Keep the shape, (batch, channels, height, width)."""
        return learned_swish(x, self.scale.reshape(-1, 1, 1), self.slope.reshape(-1, 1, 1))


class Network:
    """Two 3 × 3 convolutions, each with the activation after it, and a dense layer."""

    def __init__(self):
        self.conv1 = nn.Conv2d(3, 32, kernel_size=3, padding="same")
        self.act1 = OwnActivation(32)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding="same")
        self.act2 = OwnActivation(64)
        self.dense = nn.Linear(64 * 8 * 8, 10)

    def __call__(self, x):
        """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
        x = self.act1(self.conv1(x)).max_pool2d()
        x = self.act2(self.conv2(x)).max_pool2d()
        return self.dense(x.flatten(1))


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
