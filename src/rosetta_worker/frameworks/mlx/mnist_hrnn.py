"""The hierarchical LSTM on MNIST in MLX."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Network(nn.Module):
    """An LSTM over the pixels of each row, another one over the rows, and a dense layer."""

    def __init__(self):
        super().__init__()
        self.row_lstm = nn.LSTM(1, 128)
        self.image_lstm = nn.LSTM(128, 128)
        self.dense = nn.Linear(128, 10)

    def __call__(self, x):
        """Map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10)."""
        x = x.reshape(-1, 28, 1)  # every row is a sequence of 28 pixels
        h, _ = self.row_lstm(x)
        x = h[:, -1].reshape(-1, 28, 128)  # every image is a sequence of 28 rows
        h, _ = self.image_lstm(x)
        return self.dense(h[:, -1])


def loss_function(model, images, labels):
    """Mean cross-entropy; in MLX it is this whole function that is differentiated."""
    return nn.losses.cross_entropy(model(images), labels, reduction="mean")


def make_optimizer():
    """RMSprop; MLX adds ε outside the root, as the workload does."""
    return optim.RMSprop(learning_rate=0.001, alpha=0.9, eps=1e-7)


def make_train_step(model, optimizer):
    """Compile one step of training, which updates the model and the optimiser and returns the loss.

    What else goes in and comes out is told: parameters and moving averages.
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
