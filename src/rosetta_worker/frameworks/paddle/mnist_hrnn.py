"""The hierarchical LSTM on MNIST in PaddlePaddle."""

import paddle
from paddle import nn


class Network(nn.Layer):
    """An LSTM over the pixels of each row, another one over the rows, and a dense layer."""

    def __init__(self):
        super().__init__()
        # PaddlePaddle adds up two biases, where the workload has one: the second stays zero.
        # Not by trainable=False: its LSTM has no backward pass without every bias's gradient (Paddle's issue 58158).
        unused = paddle.ParamAttr(initializer=nn.initializer.Constant(0.0), learning_rate=0.0)
        self.row_lstm = nn.LSTM(1, 128, bias_hh_attr=unused)
        self.image_lstm = nn.LSTM(128, 128, bias_hh_attr=unused)
        self.dense = nn.Linear(128, 10)

    def forward(self, x):
        """Map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10)."""
        x = x.reshape([-1, 28, 1])  # every row is a sequence of 28 pixels
        _, (h, _) = self.row_lstm(x)
        x = h[-1].reshape([-1, 28, 128])  # every image is a sequence of 28 rows
        _, (h, _) = self.image_lstm(x)
        return self.dense(h[-1])


loss_function = nn.CrossEntropyLoss()


def make_optimizer(model):
    """RMSProp; PaddlePaddle adds ε inside the root, where 1e-14 is what 1e-7 is outside if v = 0."""
    return paddle.optimizer.RMSProp(learning_rate=0.001, rho=0.9, epsilon=1e-14, parameters=model.parameters())


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
