"""The network of trained.py in PaddlePaddle."""

import paddle
from paddle import nn


class Net(nn.Layer):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2D(3, 4, 3)
        self.norm = nn.BatchNorm2D(4, momentum=0.9)
        self.fc = nn.Linear(4 * 36, 5)

    def forward(self, x):
        x = self.norm(self.conv(x))
        return self.fc(paddle.flatten(paddle.tanh(x), 1))


def loss(outputs, targets):
    return nn.functional.cross_entropy(outputs, targets)


def make_optimizer(network):
    return paddle.optimizer.AdamW(1e-3, parameters=network.parameters(), weight_decay=0.1)
