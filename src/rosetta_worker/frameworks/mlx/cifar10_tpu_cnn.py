"""The TPU article's batch-normalised network on CIFAR-10 in MLX."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Network(nn.Module):
    """Four 3 × 3 convolutions, batch normalisation before each pair, and two dense layers."""

    def __init__(self):
        super().__init__()
        # MLX's momentum is the share of the batch's statistics, not of the running ones.
        self.norm1 = nn.BatchNorm(3, eps=1e-3, momentum=0.01)
        self.conv1 = nn.Conv2d(3, 32, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(32, 32, kernel_size=3, padding=1)
        self.pool1 = nn.MaxPool2d(2)
        self.dropout1 = nn.Dropout(0.25)
        self.norm2 = nn.BatchNorm(32, eps=1e-3, momentum=0.01)
        self.conv3 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.conv4 = nn.Conv2d(64, 64, kernel_size=3)
        self.pool2 = nn.MaxPool2d(2)
        self.dropout2 = nn.Dropout(0.25)
        self.dense1 = nn.Linear(7 * 7 * 64, 512)
        self.dropout3 = nn.Dropout(0.5)
        self.dense2 = nn.Linear(512, 10)

    def __call__(self, x):
        """Map images, (batch, 32, 32, 3), to logits, (batch, 10); in training the norms update their statistics."""
        x = self.norm1(x)
        x = nn.relu(self.conv1(x))
        x = nn.relu(self.conv2(x))
        x = self.dropout1(self.pool1(x))

        x = self.norm2(x)
        x = nn.relu(self.conv3(x))
        x = nn.relu(self.conv4(x))
        x = self.dropout2(self.pool2(x))

        x = nn.relu(self.dense1(mx.flatten(x, start_axis=1)))
        x = self.dropout3(x)
        return self.dense2(x)


def loss_function(model, images, labels):
    """Mean cross-entropy; in MLX it is this whole function that is differentiated."""
    return nn.losses.cross_entropy(model(images), labels, reduction="mean")


def learning_rate(steps_done):
    """A schedule that is Keras' bias correction; MLX's own, ``bias_correction=True``, comes before ε is added."""
    t = steps_done + 1
    return 0.001 * mx.sqrt(1 - 0.999**t) / (1 - 0.9**t)


def make_optimizer():
    """Adam as Keras has it, ε added before the bias correction."""
    return optim.Adam(learning_rate, betas=[0.9, 0.999], eps=1e-7)


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
