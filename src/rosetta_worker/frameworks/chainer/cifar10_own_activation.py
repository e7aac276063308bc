"""The convolutional network with an activation of one's own on CIFAR-10 in Chainer."""

import chainer
import chainer.functions as F
import chainer.links as L


class LearnedSwish(chainer.FunctionNode):
    """y = a·x·σ(b·x), a and b one for each channel, with its derivatives written out."""

    def forward(self, inputs):
        """Map arrays, (batch, channels, height, width), to the same shape."""
        self.retain_inputs((0, 1, 2))
        x, a, b = inputs
        a, b = a.reshape(1, -1, 1, 1), b.reshape(1, -1, 1, 1)
        return (a * x * F.sigmoid(b * x).array,)

    def backward(self, indexes, grad_outputs):
        """Map the loss's derivative with respect to y to those with respect to x, a and b, all of them Variables."""
        x, a, b = self.get_retained_inputs()
        (dy,) = grad_outputs
        a, b = a.reshape(1, -1, 1, 1), b.reshape(1, -1, 1, 1)
        s = F.sigmoid(b * x)
        xs = x * s
        t = xs * (1 - s)
        da, db = F.sum(dy * xs, axis=(0, 2, 3)), F.sum(dy * a * x * t, axis=(0, 2, 3))
        return dy * a * (s + b * t), da, db


class OwnActivation(chainer.Link):
    """The activation as a link; with a = b = 1, as at first, it is Swish."""

    def __init__(self, channels):
        super().__init__()
        with self.init_scope():
            self.scale = chainer.Parameter(1.0, (channels,))
            self.slope = chainer.Parameter(1.0, (channels,))

    def forward(self, x):
        """Keep the shape, (batch, channels, height, width)."""
        (y,) = LearnedSwish().apply((x, self.scale, self.slope))
        return y


class Network(chainer.Chain):
    """Two 3 × 3 convolutions, each with the activation after it, and a dense layer."""

    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.conv1 = L.Convolution2D(3, 32, ksize=3, pad=1)
            self.act1 = OwnActivation(32)
            self.conv2 = L.Convolution2D(32, 64, ksize=3, pad=1)
            self.act2 = OwnActivation(64)
            self.dense = L.Linear(64 * 8 * 8, 10)

    def forward(self, x):
        """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
        x = F.max_pooling_2d(self.act1(self.conv1(x)), 2)
        x = F.max_pooling_2d(self.act2(self.conv2(x)), 2)
        return self.dense(x)  # a Linear flattens what it is given


loss_function = F.softmax_cross_entropy


def make_optimizer(model):
    """SGD with momentum; Chainer has no unit gain."""
    return chainer.optimizers.MomentumSGD(lr=0.01, momentum=0.9).setup(model)


def train(model, optimizer, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        loss = loss_function(model(images), labels)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(loss.array)
    return losses
