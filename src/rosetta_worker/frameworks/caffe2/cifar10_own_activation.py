"""The convolutional network with an activation of one's own on CIFAR-10 in Caffe2."""

import numpy as np
from caffe2.python import brew, optimizer, workspace
from caffe2.python.modeling.initializers import Initializer


def learned_swish(inputs, outputs):
    """y = a·x·σ(b·x) for (batch, channels, height, width), a and b one for each channel; in NumPy."""
    x, a, _, s = parts(inputs)
    outputs[0].feed(a * x * s)


def learned_swish_gradient(inputs, outputs):
    """Map the loss's derivative with respect to y, the last input, to those with respect to x, a and b."""
    x, a, b, s = parts(inputs)
    dy = inputs[-1].data
    xs = x * s
    t = xs * (1 - s)
    outputs[0].feed(dy * a * (s + b * t))
    outputs[1].feed((dy * xs).sum(axis=(0, 2, 3)))
    outputs[2].feed((dy * a * x * t).sum(axis=(0, 2, 3)))


def parts(inputs):
    """Return x, a and b in shapes that go together, and σ(b·x)."""
    x, a, b = (tensor.data for tensor in inputs[:3])
    a, b = a.reshape(1, -1, 1, 1), b.reshape(1, -1, 1, 1)
    return x, a, b, 0.5 * np.tanh(0.5 * b * x) + 0.5


def own_activation(model, x, name, channels):
    """Add the activation with its parameters; with a = b = 1, as at first, it is Swish."""
    scale, slope = name + "_scale", name + "_slope"
    if model.init_params:
        model.create_param(scale, [channels], Initializer("ConstantFill", value=1.0))
        model.create_param(slope, [channels], Initializer("ConstantFill", value=1.0))
    return model.net.Python(learned_swish, learned_swish_gradient)([x, scale, slope], name)


def add_network(model, is_test):
    """Add the operators that map "image", (batch, 3, 32, 32), to the logits, (batch, 10)."""
    x = brew.conv(model, "image", "conv1", 3, 32, kernel=3, pad=1, no_gradient_to_input=1)
    x = own_activation(model, x, "act1", 32)
    x = brew.max_pool(model, x, "pool1", kernel=2, stride=2)

    x = brew.conv(model, x, "conv2", 32, 64, kernel=3, pad=1)
    x = own_activation(model, x, "act2", 64)
    x = brew.max_pool(model, x, "pool2", kernel=2, stride=2)
    return brew.fc(model, x, "dense", 64 * 8 * 8, 10)


def add_loss_and_gradients(model, logits):
    """Add softmax cross-entropy, mean over the batch, and the operators of its gradients."""
    _, loss = model.SoftmaxWithLoss([logits, "label"], ["softmax", "loss"])
    model.AddGradientOperators([loss])


def add_optimizer(model):
    """SGD with momentum; Caffe2 has no unit gain, and Nesterov's unless told otherwise."""
    optimizer.build_sgd(model, base_learning_rate=0.01, momentum=0.9, nesterov=0)


def train(model, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        workspace.FeedBlob("image", images)
        workspace.FeedBlob("label", labels)
        workspace.RunNet(model.net)
        losses.append(workspace.FetchBlob("loss"))
    return losses
