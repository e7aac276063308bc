"""A convolutional network with an activation of one's own on CIFAR-10 in MLX."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


@mx.custom_function
def learned_swish(x, scale, slope):
    """Return scale · x · σ(slope · x), with a scale and a slope for each channel; channels come last."""
    return scale * x * mx.sigmoid(slope * x)


@learned_swish.vjp
def learned_swish_vjp(primals, cotangent, output):
    """Return the gradients for x, the scale and the slope; MLX asks this function instead of finding its own."""
    x, scale, slope = primals
    s = mx.sigmoid(slope * x)
    ds = x * s * (1 - s)  # by the slope
    by_x = cotangent * scale * (s + slope * ds)
    by_scale = (cotangent * x * s).sum((0, 1, 2))
    by_slope = (cotangent * scale * x * ds).sum((0, 1, 2))
    return by_x, by_scale, by_slope


class LearnedSwish(nn.Module):
    """The activation as a layer with its two parameters."""

    def __init__(self, channels):
        super().__init__()
        self.scale = mx.ones(channels)
        self.slope = mx.ones(channels)

    def __call__(self, x):
        return learned_swish(x, self.scale, self.slope)


class Network(nn.Module):
    """Two 3 × 3 convolutions and a dense layer."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, kernel_size=3, padding=1)
        self.act1 = LearnedSwish(32)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.act2 = LearnedSwish(64)
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
