"""A convolutional network with an activation of one's own on CIFAR-10 in tinygrad."""

from tinygrad import Context, Tensor, TinyJit, function, nn


def swish_gradient(gradient, call):
    """Return the gradients for x, the scale and the slope, given the output's and the call that made it.

    Gradients of one's own are written on UOps, the expressions that Tensors are made of: here by Tensors, and back.
    """
    gradient, x, scale, slope = map(Tensor, (gradient, *call.src[1:]))
    s = (slope * x).sigmoid()
    ds = x * s * (1 - s)  # by the slope
    by_x = gradient * scale * (s + slope * ds)
    by_scale = (gradient * x * s).sum((0, 2, 3)).reshape(scale.shape)
    by_slope = (gradient * scale * x * ds).sum((0, 2, 3)).reshape(slope.shape)
    return by_x.uop, by_scale.uop, by_slope.uop


@function(grad_fxn=swish_gradient)
def learned_swish(x, scale, slope):
    """Return scale · x · σ(slope · x); scale and slope are (channels, 1, 1)."""
    return scale * x * (slope * x).sigmoid()


class LearnedSwish:
    """The activation as a layer with its two parameters."""

    def __init__(self, channels):
        self.scale = Tensor.ones(channels)
        self.slope = Tensor.ones(channels)

    def __call__(self, x):
        return learned_swish(x, self.scale.reshape(-1, 1, 1), self.slope.reshape(-1, 1, 1))


class Network:
    """Two 3 × 3 convolutions and a dense layer."""

    def __init__(self):
        self.conv1 = nn.Conv2d(3, 32, kernel_size=3, padding="same")
        self.act1 = LearnedSwish(32)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding="same")
        self.act2 = LearnedSwish(64)
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
