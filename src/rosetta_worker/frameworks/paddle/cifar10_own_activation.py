"""A convolutional network with an activation of one's own on CIFAR-10 in PaddlePaddle."""

import paddle
from paddle import nn
from paddle.autograd import PyLayer
from paddle.nn.functional import max_pool2d, sigmoid


class LearnedSwishFunction(PyLayer):
    """scale · x · σ(slope · x) and its gradient; scale and slope are (channels, 1, 1)."""

    @staticmethod
    def forward(ctx, x, scale, slope):
        ctx.save_for_backward(x, scale, slope)
        return scale * x * sigmoid(slope * x)

    @staticmethod
    def backward(ctx, grad):
        """Return the gradients for x, the scale and the slope, given the output's."""
        x, scale, slope = ctx.saved_tensor()
        s = sigmoid(slope * x)
        ds = x * s * (1 - s)  # by the slope
        by_x = grad * scale * (s + slope * ds)
        by_scale = (grad * x * s).sum([0, 2, 3]).reshape(scale.shape)
        by_slope = (grad * scale * x * ds).sum([0, 2, 3]).reshape(slope.shape)
        return by_x, by_scale, by_slope


class LearnedSwish(nn.Layer):
    """The activation as a layer with its two parameters."""

    def __init__(self, channels):
        super().__init__()
        one = nn.initializer.Constant(1.0)
        self.scale = self.create_parameter([channels], default_initializer=one)
        self.slope = self.create_parameter([channels], default_initializer=one)

    def forward(self, x):
        return LearnedSwishFunction.apply(x, self.scale.reshape([-1, 1, 1]), self.slope.reshape([-1, 1, 1]))


class Network(nn.Layer):
    """Two 3 × 3 convolutions and a dense layer."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2D(3, 32, kernel_size=3, padding="SAME")
        self.act1 = LearnedSwish(32)
        self.conv2 = nn.Conv2D(32, 64, kernel_size=3, padding="SAME")
        self.act2 = LearnedSwish(64)
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
