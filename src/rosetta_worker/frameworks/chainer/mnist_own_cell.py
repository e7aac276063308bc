"""The recurrent network with a cell of one's own on MNIST in Chainer."""

import chainer
import chainer.functions as F
import chainer.links as L


class MinimalGatedUnit(chainer.Chain):
    """A recurrent layer with one gate, f, and one bias (Zhou, Wu, Zhang & Zhou 2016)."""

    def __init__(self, in_size, out_size):
        super().__init__()
        self.out_size = out_size
        with self.init_scope():
            self.upward = L.Linear(in_size, 2 * out_size)  # to the gate and to the candidate, f and c
            self.lateral_f = L.Linear(out_size, out_size, nobias=True)
            self.lateral_c = L.Linear(out_size, out_size, nobias=True)

    def forward(self, x):
        """Map (batch, time, in) to the last output, (batch, units)."""
        inputs = self.upward(x, n_batch_axes=2)  # of all time steps at once
        h = self.xp.zeros((len(x), self.out_size), x.dtype)
        for step in F.separate(inputs, axis=1):
            input_f, input_c = F.split_axis(step, 2, axis=1)
            f = F.sigmoid(input_f + self.lateral_f(h))
            c = F.tanh(input_c + self.lateral_c(f * h))
            h = (1 - f) * h + f * c
        return h


class Network(chainer.Chain):
    """The unit reads an image row by row; a dense layer takes its last output."""

    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.cell = MinimalGatedUnit(28, 128)
            self.dense = L.Linear(128, 10)

    def forward(self, x):
        """Map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10)."""
        return self.dense(self.cell(x))


loss_function = F.softmax_cross_entropy


def make_optimizer(model):
    """SGD with momentum; Chainer has no unit gain."""
    return chainer.optimizers.MomentumSGD(lr=0.1, momentum=0.9).setup(model)


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
