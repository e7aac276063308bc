"""The convolutional network with an activation of one's own on CIFAR-10 in PaddlePaddle."""

import paddle
from paddle import nn
from paddle.autograd import PyLayer
from paddle.nn.functional import max_pool2d, sigmoid


class LearnedSwish(PyLayer):
    """y = a·x·σ(b·x), a and b one for each channel, with its derivatives written out."""

    @staticmethod
    def forward(ctx, x, a, b):
        """Map (batch, channels, height, width) to the same shape."""
        a, b = a.reshape([-1, 1, 1]), b.reshape([-1, 1, 1])
        s = sigmoid(b * x)
        ctx.save_for_backward(x, a, b, s)
        return a * x * s

    @staticmethod
    def backward(ctx, dy):
        """Map the loss's derivative with respect to y to those with respect to x, a and b."""
        x, a, b, s = ctx.saved_tensor()
        xs = x * s
        t = xs * (1 - s)
        return dy * a * (s + b * t), (dy * xs).sum([0, 2, 3]), (dy * a * x * t).sum([0, 2, 3])


class OwnActivation(nn.Layer):
    """The activation as a layer; with a = b = 1, as at first, it is Swish."""

    def __init__(self, channels):
        super().__init__()
        one = nn.initializer.Constant(1.0)
        self.scale = self.create_parameter([channels], default_initializer=one)
        self.slope = self.create_parameter([channels], default_initializer=one)

    def forward(self, x):
        """Keep the shape, (batch, channels, height, width)."""
        return LearnedSwish.apply(x, self.scale, self.slope)


class Network(nn.Layer):
    """Two 3 × 3 convolutions, each with the activation after it, and a dense layer."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2D(3, 32, kernel_size=3, padding="SAME")
        self.act1 = OwnActivation(32)
        self.conv2 = nn.Conv2D(32, 64, kernel_size=3, padding="SAME")
        self.act2 = OwnActivation(64)
        self.dense = nn.Linear(64 * 8 * 8, 10)

    def forward(self, x):
        """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
        x = max_pool2d(self.act1(self.conv1(x)), 2)
        x = max_pool2d(self.act2(self.conv2(x)), 2)
        return self.dense(x.flatten(1))


loss_function = nn.CrossEntropyLoss()


def make_optimizer(model):
    """SGD with momentum; PaddlePaddle has no unit gain."""
    return paddle.optimizer.Momentum(learning_rate=0.01, momentum=0.9, parameters=model.parameters())


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
