"""Both workloads in plain JAX with Optax: what ``harness_cost.py`` holds Rosetta's figure for jax against.

How it is called: see chunks.py.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from chunks import channels_last, serve
from jax import lax

glorot = jax.nn.initializers.glorot_uniform()


def weights(key, *shape):
    """A kernel and its bias."""
    return {"kernel": glorot(key, shape), "bias": jnp.zeros(shape[-1])}


def dense(p, x):
    return x @ p["kernel"] + p["bias"]


def conv(p, x):
    return (
        lax.conv_general_dilated(x, p["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")) + p["bias"]
    )


def max_pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def dropout(key, x, rate):
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)


def mlp_parameters(key):
    keys = jax.random.split(key, 3)
    return [weights(keys[0], 784, 512), weights(keys[1], 512, 512), weights(keys[2], 512, 10)]


def mlp(p, x, key):
    keys = jax.random.split(key, 2)
    x = dropout(keys[0], jax.nn.relu(dense(p[0], x)), 0.2)
    x = dropout(keys[1], jax.nn.relu(dense(p[1], x)), 0.2)
    return dense(p[2], x)


def cnn_parameters(key):
    shapes = [(3, 3, 3, 50), (3, 3, 50, 50), (3, 3, 50, 100), (3, 3, 100, 100), (6400, 512), (512, 10)]
    return [weights(key, *shape) for key, shape in zip(jax.random.split(key, len(shapes)), shapes, strict=True)]


def cnn(p, x, key):
    keys = jax.random.split(key, 3)
    x = jax.nn.relu(conv(p[0], x))
    x = jax.nn.relu(max_pool(conv(p[1], x)))
    x = dropout(keys[0], x, 0.25)
    x = jax.nn.relu(conv(p[2], x))
    x = jax.nn.relu(max_pool(conv(p[3], x)))
    x = dropout(keys[1], x, 0.25)
    x = jax.nn.relu(dense(p[4], x.reshape(x.shape[0], -1)))
    return dense(p[5], dropout(keys[2], x, 0.5))


WORKLOADS = {
    "mnist_mlp": (mlp_parameters, mlp, optax.rmsprop(0.001, decay=0.9, eps=1e-7, eps_in_sqrt=False), 128),
    "cifar10_cnn": (cnn_parameters, cnn, optax.sgd(0.01, momentum=0.9), 64),
}


def build(workload):
    make_parameters, network, optimizer, batch_size = WORKLOADS[workload]
    key, parameters_key = jax.random.split(jax.random.key(0))
    parameters = make_parameters(parameters_key)
    state = (parameters, optimizer.init(parameters), key)

    def loss_function(parameters, images, labels, key):
        logits = network(parameters, images, key)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    @partial(jax.jit, donate_argnums=0)
    def train_step(state, images, labels):
        parameters, optimizer_state, key = state
        key, dropout_key = jax.random.split(key)
        loss, gradients = jax.value_and_grad(loss_function)(parameters, images, labels, dropout_key)
        updates, optimizer_state = optimizer.update(gradients, optimizer_state, parameters)
        return (optax.apply_updates(parameters, updates), optimizer_state, key), loss

    def prepare(images, labels):
        return list(zip(channels_last(images), labels.astype(np.int32), strict=True))

    def train(batches):
        nonlocal state
        losses = []
        for images, labels in batches:
            state, loss = train_step(state, images, labels)
            losses.append(loss)
        jax.block_until_ready(state)
        return np.mean(jax.device_get(losses))

    return batch_size, prepare, train


serve(build)
