"""The convolutional network with an activation of one's own on CIFAR-10 in JAX, with Flax NNX and Optax."""

import jax
import jax.numpy as jnp
import optax
from flax import nnx


@jax.custom_vjp
def learned_swish(x, a, b):
    """y = a·x·σ(b·x) for (batch, height, width, channels), a and b one for each channel."""
    y, _ = learned_swish_forward(x, a, b)
    return y


def learned_swish_forward(x, a, b):
    """Return y, and what its derivatives need."""
    s = nnx.sigmoid(b * x)
    return a * x * s, (x, a, b, s)


def learned_swish_backward(saved, dy):
    """Map the loss's derivative with respect to y to those with respect to x, a and b."""
    x, a, b, s = saved
    xs = x * s
    t = xs * (1 - s)
    return dy * a * (s + b * t), (dy * xs).sum(axis=(0, 1, 2)), (dy * a * x * t).sum(axis=(0, 1, 2))


learned_swish.defvjp(learned_swish_forward, learned_swish_backward)


class OwnActivation(nnx.Module):
    """The activation as a layer; with a = b = 1, as at first, it is Swish. It computes in its input's precision."""

    def __init__(self, channels):
        self.scale = nnx.Param(jnp.ones(channels))
        self.slope = nnx.Param(jnp.ones(channels))

    def __call__(self, x):
        """Keep the shape, (batch, height, width, channels)."""
        return learned_swish(x, self.scale[...].astype(x.dtype), self.slope[...].astype(x.dtype))


class Network(nnx.Module):
    """Two 3 × 3 convolutions, each with the activation after it, and a dense layer."""

    def __init__(self, rngs):
        self.conv1 = nnx.Conv(3, 32, kernel_size=(3, 3), padding="SAME", rngs=rngs)
        self.act1 = OwnActivation(32)
        self.conv2 = nnx.Conv(32, 64, kernel_size=(3, 3), padding="SAME", rngs=rngs)
        self.act2 = OwnActivation(64)
        self.dense = nnx.Linear(8 * 8 * 64, 10, rngs=rngs)

    def __call__(self, x):
        """Map images, (batch, 32, 32, 3), to logits, (batch, 10)."""
        x = nnx.max_pool(self.act1(self.conv1(x)), window_shape=(2, 2), strides=(2, 2))
        x = nnx.max_pool(self.act2(self.conv2(x)), window_shape=(2, 2), strides=(2, 2))
        return self.dense(x.reshape(x.shape[0], -1))


def loss_function(model, images, labels):
    """Mean cross-entropy; in JAX it is this whole function that is differentiated."""
    logits = model(images)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def make_optimizer(model):
    """SGD with momentum; Optax has no unit gain."""
    return nnx.Optimizer(model, optax.sgd(learning_rate=0.01, momentum=0.9), wrt=nnx.Param)


def train_step(model, optimizer, images, labels):
    """One step of training: updates the model and the optimiser, returns the loss."""
    loss, gradients = nnx.value_and_grad(loss_function)(model, images, labels)
    optimizer.update(model, gradients)
    return loss


def compile_train_step(model, optimizer):
    """Let XLA compile the step for this model and optimiser.

    ``nnx.jit`` and ``nnx.cached_partial`` do the same, but took 15 and 3 % longer for a step of mnist_mlp on a CPU.
    """
    return nnx.jit_partial(train_step, model, optimizer, graph=False, donate_argnums=0)


def train(compiled_step, batches):
    """Train on batches of (images, labels) and return the losses; the calls return before the device is done."""
    return [compiled_step(images, labels) for images, labels in batches]
