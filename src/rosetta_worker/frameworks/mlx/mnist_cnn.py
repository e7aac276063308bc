"""The convolutional network on MNIST in MLX."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Network(nn.Module):
    """Two 3 × 3 convolutions and two dense layers."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, kernel_size=3)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3)
        self.pool = nn.MaxPool2d(2)
        self.dropout1 = nn.Dropout(0.25)
        self.dense1 = nn.Linear(12 * 12 * 64, 128)
        self.dropout2 = nn.Dropout(0.5)
        self.dense2 = nn.Linear(128, 10)

    def __call__(self, x):
        """Map images, (batch, 28, 28, 1), to logits, (batch, 10)."""
        x = nn.relu(self.conv1(x))
        x = nn.relu(self.conv2(x))
        x = self.dropout1(self.pool(x))

        x = nn.relu(self.dense1(mx.flatten(x, start_axis=1)))
        x = self.dropout2(x)
        return self.dense2(x)


def loss_function(model, images, labels):
    """Mean cross-entropy; in MLX it is this whole function that is differentiated."""
    return nn.losses.cross_entropy(model(images), labels, reduction="mean")


def make_optimizer():
    """Adadelta; MLX adds ε inside both roots, as the workload does."""
    return optim.AdaDelta(learning_rate=1.0, rho=0.95, eps=1e-7)


def make_train_step(model, optimizer):
    """Compile one step of training, which updates the model and the optimiser and returns the loss.

    What else goes in and comes out is told: parameters, moving averages, the state of the random numbers.
    """
    loss_and_gradients = nn.value_and_grad(model, loss_function)
    state = [model.state, optimizer.state, mx.random.state]

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
