"""The convolutional network with an activation of one's own on CIFAR-10 in MLX."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


@mx.custom_function
def learned_swish(x, a, b):
    """y = a·x·σ(b·x) for (batch, height, width, channels), a and b one for each channel."""
    return a * x * mx.sigmoid(b * x)


@learned_swish.vjp
def learned_swish_vjp(arguments, dy, y):
    """Map the loss's derivative with respect to y to those with respect to x, a and b."""
    x, a, b = arguments
    s = mx.sigmoid(b * x)
    xs = x * s
    t = xs * (1 - s)
    return dy * a * (s + b * t), (dy * xs).sum((0, 1, 2)), (dy * a * x * t).sum((0, 1, 2))


class OwnActivation(nn.Module):
    """The activation as a layer; with a = b = 1, as at first, it is Swish."""

    def __init__(self, channels):
        super().__init__()
        self.scale = mx.ones(channels)
        self.slope = mx.ones(channels)

    def __call__(self, x):
        """Keep the shape, (batch, height, width, channels)."""
        return learned_swish(x, self.scale, self.slope)


class Network(nn.Module):
    """Two 3 × 3 convolutions, each with the activation after it, and a dense layer."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, kernel_size=3, padding=1)
        self.act1 = OwnActivation(32)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.act2 = OwnActivation(64)
        self.pool = nn.MaxPool2d(2)
        self.dense = nn.Linear(8 * 8 * 64, 10)

    def __call__(self, x):
        """Map images, (batch, 32, 32, 3), to logits, (batch, 10)."""
        x = self.pool(self.act1(self.conv1(x)))
        x = self.pool(self.act2(self.conv2(x)))
        return self.dense(mx.flatten(x, start_axis=1))


def loss_function(model, images, labels):
    """Mean cross-entropy; in MLX it is this whole function that is differentiated."""
    return nn.losses.cross_entropy(model(images), labels, reduction="mean")


def make_optimizer():
    """SGD with momentum: no dampening, which is to say no unit gain, and no Nesterov."""
    return optim.SGD(learning_rate=0.01, momentum=0.9)


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
