"""Ports of the networks in convolutional.py to PaddlePaddle."""

from paddle import nn

F = nn.functional


class Net(nn.Layer):
    norm_layer = nn.BatchNorm2D

    def __init__(self, width=6, epsilon=1e-5, rate=0.5):
        super().__init__()
        self.rate = rate
        self.conv = nn.Conv2D(3, width, 3, padding=1)
        self.norm = self.norm_layer(width, epsilon=epsilon)
        self.left = nn.Conv2D(width, width, 3, padding=1)
        self.right = nn.Conv2D(width, width, 3, padding=1)
        self.hidden = nn.Linear(width * 16, 8)
        self.out = nn.Linear(8, 5)

    def forward(self, x):
        x = F.gelu(self.norm(self.conv(x)))
        x = F.max_pool2d(self.left(x) + F.tanh(self.right(x)), 2)
        x = F.dropout(F.relu(self.hidden(x.flatten(1))), self.rate, training=self.training)
        return self.out(x)


def stopped():
    """Make a network whose output has no gradient."""

    class Stopped(Net):
        def forward(self, x):
            return super().forward(x).detach()

    return Stopped()
