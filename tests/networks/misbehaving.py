"""Networks in PyTorch that misbehave, each in a way of its own."""

import os
import sys
import time

import torch
from torch import nn

print("misbehaving.py says this on standard output, where no protocol is")


class Net(nn.Module):
    """Behaves."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(x)


class NeedsArguments(nn.Module):
    def __init__(self, width, *, depth=1):
        super().__init__()
        self.fc = nn.Linear(width, depth)


class Raises(Net):
    def forward(self, x):
        raise KeyError("planted \x1b[31m")


class Exits(Net):
    def forward(self, x):
        sys.exit(3)


class Dies(Net):
    def forward(self, x):
        os._exit(7)


class Hangs(Net):
    def forward(self, x):
        time.sleep(3600)


class WrongShape(Net):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(5, 3)


class NotANumber(Net):
    def forward(self, x):
        return self.fc(x) / 0.0 * 0.0


class IsRandom(Net):
    def forward(self, x):
        return nn.functional.dropout(self.fc(x), 0.5)


class RandomInTraining(Net):
    """By hand, where nobody looks for dropout."""

    def forward(self, x):
        return self.fc(x) + (torch.randn(3) if self.training else 0)


class NoGradient(Net):
    def forward(self, x):
        return self.fc(x).detach()


class NoParameters(nn.Module):
    def forward(self, x):
        return torch.relu(x)[:, :3]


class OtherOutputs(Net):
    def forward(self, x):
        return self.fc(x), x


class OnlyFloat32(Net):
    def forward(self, x):
        return torch.matmul(x.float(), self.fc.weight.float().t()) + self.fc.bias.float()


class Float32Inside(Net):
    """Mixes precisions, which PyTorch refuses in float64."""

    def forward(self, x):
        return torch.nn.functional.linear(x, self.fc.weight.float(), self.fc.bias)


class Keywords(Net):
    """Its sub-module is called by keyword, so that nothing is known of what it was given."""

    factor = 1.0

    def forward(self, x):
        return self.fc(input=x) * self.factor


class KeywordsAndMore(Keywords):
    factor = 1.01


class KeywordsOtherwise(Keywords):
    def __init__(self):
        super().__init__()
        self.fc.forward = lambda input: nn.functional.linear(input, 1.01 * self.fc.weight, self.fc.bias)


def function_of_nothing():
    return 3


number = 3
