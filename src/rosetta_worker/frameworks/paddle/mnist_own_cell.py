"""The recurrent network with a cell of one's own on MNIST in PaddlePaddle."""

import paddle
from paddle import nn
from paddle.nn.functional import sigmoid


class MinimalGatedUnit(nn.RNNCellBase):
    """A step of a recurrent layer with one gate, f, and one bias (Zhou, Wu, Zhang & Zhou 2016); ``nn.RNN`` loops."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        bound = nn.initializer.Uniform(-(hidden_size**-0.5), hidden_size**-0.5)
        self.weight_ih = self.create_parameter([2 * hidden_size, input_size], default_initializer=bound)
        self.weight_hh = self.create_parameter([2 * hidden_size, hidden_size], default_initializer=bound)
        self.bias = self.create_parameter([2 * hidden_size], is_bias=True)

    @property
    def state_shape(self):
        """The state's shape without the batch: ``nn.RNN`` begins with zeros of it."""
        return (self.hidden_size,)

    def forward(self, x, h):
        """Map inputs, (batch, input_size), and the state before, (batch, hidden_size), to output and new state."""
        x_f, x_c = (x.matmul(self.weight_ih, transpose_y=True) + self.bias).chunk(2, axis=-1)
        weight_f, weight_c = self.weight_hh.chunk(2)
        f = sigmoid(x_f + h.matmul(weight_f, transpose_y=True))
        c = paddle.tanh(x_c + (f * h).matmul(weight_c, transpose_y=True))
        h = (1 - f) * h + f * c
        return h, h


class Network(nn.Layer):
    """The unit reads an image row by row; a dense layer takes its last output."""

    def __init__(self):
        super().__init__()
        self.cell = MinimalGatedUnit(28, 128)
        self.rnn = nn.RNN(self.cell)
        self.dense = nn.Linear(128, 10)

    def forward(self, x):
        """Map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10)."""
        _, h = self.rnn(x)
        return self.dense(h)


loss_function = nn.CrossEntropyLoss()


def make_optimizer(model):
    """SGD with momentum; PaddlePaddle has no unit gain."""
    return paddle.optimizer.Momentum(learning_rate=0.1, momentum=0.9, parameters=model.parameters())


def train(model, optimizer, batches):
    """Train on batches of (images, labels) and return the losses."""
    model.train()
    losses = []
    for images, labels in batches:
        loss = loss_function(model(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        losses.append(loss.detach())
    return losses
