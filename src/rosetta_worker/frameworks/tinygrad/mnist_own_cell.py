"""The recurrent network with a cell of one's own on MNIST in tinygrad."""

from tinygrad import Context, Tensor, TinyJit, function, nn

from .recurrent import tanh


class MinimalGatedUnit:
    """A recurrent layer with one gate, f, and one bias (Zhou, Wu, Zhang & Zhou 2016).

    A step is a ``function`` that is compiled once and called for every time step.
    """

    def __init__(self, in_features, units):
        bound = units**-0.5
        self.weight_ih = Tensor.uniform(2 * units, in_features, low=-bound, high=bound)
        self.weight_hh = Tensor.uniform(2 * units, units, low=-bound, high=bound)
        self.bias_ih = Tensor.zeros(2 * units)

    @function(precompile=True, precompile_backward=True)
    def step(self, x, h):
        x_f, x_c = x.linear(self.weight_ih.T, self.bias_ih).chunk(2, dim=1)
        weight_f, weight_c = self.weight_hh.chunk(2)
        f = (x_f + h.linear(weight_f.T)).sigmoid()
        c = tanh(x_c + (f * h).linear(weight_c.T))
        return (1 - f) * h + f * c

    def __call__(self, x):
        """Map (batch, time, in) to the last output, (batch, units)."""
        h = Tensor.zeros(x.shape[0], self.weight_hh.shape[1])
        for t in range(x.shape[1]):
            h = self.step(x[:, t], h)
        return h


class Network:
    """The unit reads an image row by row; a dense layer takes its last output."""

    def __init__(self):
        self.cell = MinimalGatedUnit(28, 128)
        self.dense = nn.Linear(128, 10)

    def __call__(self, x):
        """Map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10)."""
        return self.dense(self.cell(x))


def loss_function(logits, labels):
    """Softmax cross-entropy, mean over the batch."""
    return logits.sparse_categorical_crossentropy(labels)


def make_optimizer(network):
    """SGD with momentum; tinygrad has no unit gain."""
    return nn.optim.SGD(nn.state.get_parameters(network), lr=0.1, momentum=0.9)


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
