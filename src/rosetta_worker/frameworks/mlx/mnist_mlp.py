"""The multi-layer perceptron on MNIST in MLX."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Network(nn.Module):
    """Two hidden layers of 512 units with dropout."""

    def __init__(self):
        super().__init__()
        self.dense1 = nn.Linear(784, 512)
        self.dropout1 = nn.Dropout(0.2)
        self.dense2 = nn.Linear(512, 512)
        self.dropout2 = nn.Dropout(0.2)
        self.dense3 = nn.Linear(512, 10)

    def __call__(self, x):
        """Map images, (batch, 784), to logits, (batch, 10)."""
        x = self.dropout1(nn.relu(self.dense1(x)))
        x = self.dropout2(nn.relu(self.dense2(x)))
        return self.dense3(x)


def loss_function(model, images, labels):
    """Mean cross-entropy; in MLX it is this whole function that is differentiated."""
    return nn.losses.cross_entropy(model(images), labels, reduction="mean")


def make_optimizer():
    """RMSprop; MLX adds ε outside the root, as the workload does."""
    return optim.RMSprop(learning_rate=0.001, alpha=0.9, eps=1e-7)


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
