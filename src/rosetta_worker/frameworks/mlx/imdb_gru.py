"""The "Rosetta Stone" GRU on IMDB reviews in MLX."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class GRU(nn.Module):
    """The GRU of cuDNN, which resets after the product; ``nn.GRU`` adds a bias to the product for one gate only."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        scale = hidden_size**-0.5
        self.Wx = mx.random.uniform(-scale, scale, (3 * hidden_size, input_size))
        self.Wh = mx.random.uniform(-scale, scale, (3 * hidden_size, hidden_size))
        self.b = mx.zeros(3 * hidden_size)
        self.bh = mx.zeros(3 * hidden_size)

    def __call__(self, x):
        """Map (batch, time, input_size) to the last output, (batch, hidden_size)."""
        x = mx.addmm(self.b, x, self.Wx.T)
        hidden = mx.zeros((x.shape[0], self.Wh.shape[1]), x.dtype)
        for t in range(x.shape[1]):
            x_r, x_z, x_n = mx.split(x[:, t], 3, axis=-1)
            h_r, h_z, h_n = mx.split(mx.addmm(self.bh, hidden, self.Wh.T), 3, axis=-1)
            r = mx.sigmoid(x_r + h_r)
            z = mx.sigmoid(x_z + h_z)
            n = mx.tanh(x_n + r * h_n)
            hidden = (1 - z) * n + z * hidden
        return hidden


class Network(nn.Module):
    """An embedding, a GRU's last output and a dense layer."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(30_000, 125)
        self.gru = GRU(125, 100)
        self.dense = nn.Linear(100, 2)

    def __call__(self, x):
        """Map tokens, (batch, 150), to logits, (batch, 2)."""
        x = self.embedding(x)
        x = self.gru(x)
        return self.dense(x)


def loss_function(model, reviews, labels):
    """Mean cross-entropy; in MLX it is this whole function that is differentiated."""
    return nn.losses.cross_entropy(model(reviews), labels, reduction="mean")


def make_optimizer():
    """Adam as in the paper, ε after the bias correction, as the workload has it."""
    return optim.Adam(learning_rate=0.001, betas=[0.9, 0.999], eps=1e-8, bias_correction=True)


def make_train_step(model, optimizer):
    """Compile one step of training, which updates the model and the optimiser and returns the loss.

    What else goes in and comes out is told: parameters and moving averages.
    """
    loss_and_gradients = nn.value_and_grad(model, loss_function)
    state = [model.state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def train_step(reviews, labels):
        loss, gradients = loss_and_gradients(model, reviews, labels)
        optimizer.update(model, gradients)
        return loss

    return train_step


def train(model, optimizer, train_step, batches):
    """Train on batches of (reviews, labels) and return the losses; MLX is lazy: ``mx.eval`` computes."""
    model.train()
    losses = []
    for reviews, labels in batches:
        losses.append(train_step(reviews, labels))
        mx.eval(losses[-1], model.state, optimizer.state)
    return losses
