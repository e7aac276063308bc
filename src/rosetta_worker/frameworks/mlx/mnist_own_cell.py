"""The recurrent network with a cell of one's own on MNIST in MLX."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class MinimalGatedUnit(nn.Module):
    """A recurrent layer with one gate, f, and one bias (Zhou, Wu, Zhang & Zhou 2016)."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        scale = hidden_size**-0.5
        self.Wx = mx.random.uniform(-scale, scale, (2 * hidden_size, input_size))
        self.Wh = mx.random.uniform(-scale, scale, (2 * hidden_size, hidden_size))
        self.bias = mx.zeros(2 * hidden_size)

    def __call__(self, x):
        """Map (batch, time, input_size) to the last output, (batch, hidden_size)."""
        x_f, x_c = mx.split(mx.addmm(self.bias, x, self.Wx.T), 2, axis=-1)
        Wh_f, Wh_c = mx.split(self.Wh.T, 2, axis=-1)
        hidden = mx.zeros((x.shape[0], self.Wh.shape[1]), x.dtype)
        for t in range(x.shape[1]):
            f = mx.sigmoid(mx.addmm(x_f[:, t], hidden, Wh_f))
            c = mx.tanh(mx.addmm(x_c[:, t], f * hidden, Wh_c))
            hidden = (1 - f) * hidden + f * c
        return hidden


class Network(nn.Module):
    """The unit reads an image row by row; a dense layer takes its last output."""

    def __init__(self):
        super().__init__()
        self.cell = MinimalGatedUnit(28, 128)
        self.dense = nn.Linear(128, 10)

    def __call__(self, x):
        """Map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10)."""
        return self.dense(self.cell(x))


def loss_function(model, images, labels):
    """Mean cross-entropy; in MLX it is this whole function that is differentiated."""
    return nn.losses.cross_entropy(model(images), labels, reduction="mean")


def make_optimizer():
    """SGD with momentum: no dampening, which is to say no unit gain, and no Nesterov."""
    return optim.SGD(learning_rate=0.1, momentum=0.9)


def make_train_step(model, optimizer):
    """Compile one step of training, which updates the model and the optimiser and returns the loss.

    What else goes in and comes out is told: parameters and velocities.
    """
    loss_and_gradients = nn.value_and_grad(model, loss_function)
    state = [model.state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def train_step(images, labels):
        loss, gradients = loss_and_gradients(model, images, labels)
        optimizer.update(model, gradients)
        return loss

    return train_step


def train(model, optimizer, train_step, batches):
    """Train on batches of (images, labels) and return the losses; MLX is lazy: ``mx.eval`` computes."""
    model.train()
    losses = []
    for images, labels in batches:
        losses.append(train_step(images, labels))
        mx.eval(losses[-1], model.state, optimizer.state)
    return losses
