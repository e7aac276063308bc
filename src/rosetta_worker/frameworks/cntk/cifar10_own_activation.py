"""The convolutional network with an activation of one's own on CIFAR-10 in CNTK."""

import cntk as C
import numpy as np
from cntk.layers import Convolution2D, Dense, MaxPooling, Sequential
from cntk.ops.functions import UserFunction


class LearnedSwish(UserFunction):
    """y = a·x·σ(b·x), a and b one for each channel, with its derivatives written out; in NumPy."""

    def __init__(self, x, a, b, name=""):
        super().__init__([x, a, b], name=name)

    def infer_outputs(self):
        """Tell that y is like x."""
        x = self.inputs[0]
        return [C.output_variable(x.shape, x.dtype, x.dynamic_axes)]

    def clone(self, cloned_inputs):
        """Return another one like this: CNTK makes one whenever the layer is given its input."""
        return LearnedSwish(*cloned_inputs, name=self.name)

    def forward(self, arguments, device=None, outputs_to_retain=None):
        """Map (batch, channels, height, width) to the same shape; the first of what is returned goes to backward."""
        x, a, b = arguments
        s = 0.5 * np.tanh(0.5 * b * x) + 0.5
        return (x, a, b, s), a * x * s

    def backward(self, state, dy, variables):
        """Map the loss's derivative with respect to y to those with respect to x, a and b, those that are asked for."""
        x, a, b, s = state
        xs = x * s
        t = xs * (1 - s)
        da, db = ((dy * part).sum(axis=(0, 2, 3)).reshape(a.shape) for part in (xs, a * x * t))
        for variable, gradient in zip(self.inputs, (dy * a * (s + b * t), da, db)):
            if variable in variables:
                variables[variable] = gradient


def OwnActivation(channels, name=""):
    """The activation as a layer; with a = b = 1, as at first, it is Swish."""
    scale = C.Parameter((channels, 1, 1), init=1, name="scale")
    slope = C.Parameter((channels, 1, 1), init=1, name="slope")

    @C.BlockFunction("OwnActivation", name)
    def activate(x):
        return C.user_function(LearnedSwish(x, scale, slope))

    return activate


def create_network():
    """Build the network: two 3 × 3 convolutions, each with the activation after it, and a dense layer."""
    image = C.input_variable((3, 32, 32))
    label = C.input_variable(10)  # one-hot

    model = Sequential(
        [
            Convolution2D((3, 3), 32, pad=True, name="conv1"),
            OwnActivation(32, name="act1"),
            MaxPooling((2, 2), strides=2),
            Convolution2D((3, 3), 64, pad=True, name="conv2"),
            OwnActivation(64, name="act2"),
            MaxPooling((2, 2), strides=2),
            Dense(10, name="dense"),
        ]
    )
    logits = model(image)
    loss = C.cross_entropy_with_softmax(logits, label)
    return {"image": image, "label": label, "output": logits, "loss": loss}


def create_trainer(network):
    """Bind the network to its loss and its optimiser: SGD with momentum, which in CNTK has unit gain unless told."""
    learner = C.momentum_sgd(
        network["output"].parameters,
        lr=0.01,
        momentum=0.9,
        unit_gain=False,
        minibatch_size=C.learners.IGNORE,  # rates are per minibatch, gradients its mean
    )
    return C.Trainer(network["output"], (network["loss"], None), [learner])


def train(trainer, network, batches):
    """Train on batches of (images, one-hot labels) and return the losses."""
    losses = []
    for images, labels in batches:
        trainer.train_minibatch({network["image"]: images, network["label"]: labels})
        losses.append(trainer.previous_minibatch_loss_average)
    return losses
