"""All workloads in plain JAX with Optax: what ``harness_cost.py`` holds Rosetta's figure for jax against.

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


def weights_of_all(key, *shapes):
    """Kernels and their biases."""
    return [weights(key, *shape) for key, shape in zip(jax.random.split(key, len(shapes)), shapes, strict=True)]


def dense(p, x):
    return x @ p["kernel"] + p["bias"]


def convolve(kernel, x, stride=1, padding="SAME"):
    return lax.conv_general_dilated(x, kernel, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def conv(p, x, padding="SAME"):
    return convolve(p["kernel"], x, padding=padding) + p["bias"]


def max_pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def dropout(key, x, rate):
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)


def last_output(cell, carry, x):
    """Run a cell over the last axis but one, time, and return its last output."""
    _, outputs = lax.scan(cell, carry, jnp.moveaxis(x, -2, 0))
    return outputs[-1]


def lstm_parameters(key, inputs, units):
    keys = jax.random.split(key, 2)
    return {"input": glorot(keys[0], (inputs, 4 * units)), "recurrent": weights(keys[1], units, 4 * units)}


def lstm(p, x):
    def cell(carry, x):
        c, h = carry
        i, f, g, o = jnp.split(x @ p["input"] + dense(p["recurrent"], h), 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (c, h), h

    zeros = jnp.zeros((*x.shape[:-2], p["recurrent"]["kernel"].shape[0]))
    return last_output(cell, (zeros, zeros), x)


def gru_parameters(key, inputs, units):
    keys = jax.random.split(key, 2)
    return {"input": weights(keys[0], inputs, 3 * units), "recurrent": weights(keys[1], units, 3 * units)}


def gru(p, x):
    def cell(h, x):
        input_r, input_z, input_n = jnp.split(dense(p["input"], x), 3, axis=-1)
        recurrent_r, recurrent_z, recurrent_n = jnp.split(dense(p["recurrent"], h), 3, axis=-1)
        r = jax.nn.sigmoid(input_r + recurrent_r)
        z = jax.nn.sigmoid(input_z + recurrent_z)
        n = jnp.tanh(input_n + r * recurrent_n)
        h = (1 - z) * n + z * h
        return h, h

    zeros = jnp.zeros((*x.shape[:-2], p["recurrent"]["kernel"].shape[0]))
    return last_output(cell, zeros, x)


def norm_parameters(channels):
    return {"scale": jnp.ones(channels), "shift": jnp.zeros(channels)}


def norm_statistics(channels):
    return {"mean": jnp.zeros(channels), "variance": jnp.ones(channels)}


def normalize(p, s, x, epsilon):
    return (x - s["mean"]) * (lax.rsqrt(s["variance"] + epsilon) * p["scale"]) + p["shift"]


def norm(p, running, x, epsilon=1e-3, momentum=0.99):
    """Normalise by the batch's statistics; return the new running ones too."""
    mean = x.mean((0, 1, 2))
    batch = {"mean": mean, "variance": jnp.maximum(0, (x * x).mean((0, 1, 2)) - mean * mean)}
    running = jax.tree.map(lambda r, b: momentum * r + (1 - momentum) * b, running, batch)
    return normalize(p, batch, x, epsilon), running


# Each network takes its parameters, running statistics, a key and its inputs; it returns logits and new statistics.


def mlp_parameters(key):
    return weights_of_all(key, (784, 512), (512, 512), (512, 10))


def mlp(p, s, key, x):
    keys = jax.random.split(key, 2)
    x = dropout(keys[0], jax.nn.relu(dense(p[0], x)), 0.2)
    x = dropout(keys[1], jax.nn.relu(dense(p[1], x)), 0.2)
    return dense(p[2], x), s


def cnn_parameters(key):
    return weights_of_all(key, (3, 3, 3, 50), (3, 3, 50, 50), (3, 3, 50, 100), (3, 3, 100, 100), (6400, 512), (512, 10))


def cnn(p, s, key, x):
    keys = jax.random.split(key, 3)
    x = jax.nn.relu(conv(p[0], x))
    x = jax.nn.relu(max_pool(conv(p[1], x)))
    x = dropout(keys[0], x, 0.25)
    x = jax.nn.relu(conv(p[2], x))
    x = jax.nn.relu(max_pool(conv(p[3], x)))
    x = dropout(keys[1], x, 0.25)
    x = jax.nn.relu(dense(p[4], x.reshape(x.shape[0], -1)))
    return dense(p[5], dropout(keys[2], x, 0.5)), s


def mnist_cnn_parameters(key):
    return weights_of_all(key, (3, 3, 1, 32), (3, 3, 32, 64), (9216, 128), (128, 10))


def mnist_cnn(p, s, key, x):
    keys = jax.random.split(key, 2)
    x = jax.nn.relu(conv(p[0], x, "VALID"))
    x = max_pool(jax.nn.relu(conv(p[1], x, "VALID")))
    x = dropout(keys[0], x, 0.25)
    x = jax.nn.relu(dense(p[2], x.reshape(x.shape[0], -1)))
    return dense(p[3], dropout(keys[1], x, 0.5)), s


def keras_cnn_parameters(key):
    return weights_of_all(key, (3, 3, 3, 32), (3, 3, 32, 32), (3, 3, 32, 64), (3, 3, 64, 64), (2304, 512), (512, 10))


def keras_cnn(p, s, key, x):
    keys = jax.random.split(key, 3)
    x = jax.nn.relu(conv(p[0], x))
    x = max_pool(jax.nn.relu(conv(p[1], x, "VALID")))
    x = dropout(keys[0], x, 0.25)
    x = jax.nn.relu(conv(p[2], x))
    x = max_pool(jax.nn.relu(conv(p[3], x, "VALID")))
    x = dropout(keys[1], x, 0.25)
    x = jax.nn.relu(dense(p[4], x.reshape(x.shape[0], -1)))
    return dense(p[5], dropout(keys[2], x, 0.5)), s


def tpu_cnn_parameters(key):
    shapes = [(3, 3, 3, 32), (3, 3, 32, 32), (3, 3, 32, 64), (3, 3, 64, 64), (3136, 512), (512, 10)]
    return {"weights": weights_of_all(key, *shapes), "norms": [norm_parameters(3), norm_parameters(32)]}


def tpu_cnn(p, s, key, x):
    keys = jax.random.split(key, 3)
    p, norms = p["weights"], p["norms"]
    x, s0 = norm(norms[0], s[0], x)
    x = jax.nn.relu(conv(p[0], x))
    x = max_pool(jax.nn.relu(conv(p[1], x)))
    x = dropout(keys[0], x, 0.25)
    x, s1 = norm(norms[1], s[1], x)
    x = jax.nn.relu(conv(p[2], x))
    x = max_pool(jax.nn.relu(conv(p[3], x, "VALID")))
    x = dropout(keys[1], x, 0.25)
    x = jax.nn.relu(dense(p[4], x.reshape(x.shape[0], -1)))
    return dense(p[5], dropout(keys[2], x, 0.5)), [s0, s1]


def hrnn_parameters(key):
    keys = jax.random.split(key, 3)
    return [lstm_parameters(keys[0], 1, 128), lstm_parameters(keys[1], 128, 128), weights(keys[2], 128, 10)]


def hrnn(p, s, key, x):
    rows = lstm(p[0], x[..., None])
    return dense(p[2], lstm(p[1], rows)), s


def babi_parameters(key):
    keys = jax.random.split(key, 5)
    return {
        "story": glorot(keys[0], (36, 50)),
        "question": glorot(keys[1], (36, 50)),
        "question_lstm": lstm_parameters(keys[2], 50, 50),
        "lstm": lstm_parameters(keys[3], 50, 50),
        "dense": weights(keys[4], 50, 36),
    }


def babi(p, s, key, stories, questions):
    keys = jax.random.split(key, 3)
    x = dropout(keys[0], jnp.take(p["story"], stories, axis=0), 0.3)
    y = dropout(keys[1], jnp.take(p["question"], questions, axis=0), 0.3)
    x = x + lstm(p["question_lstm"], y)[:, None]
    x = dropout(keys[2], lstm(p["lstm"], x), 0.3)
    return dense(p["dense"], x), s


def imdb_parameters(key):
    keys = jax.random.split(key, 3)
    return [glorot(keys[0], (30_000, 125)), gru_parameters(keys[1], 125, 100), weights(keys[2], 100, 2)]


def imdb(p, s, key, x):
    return dense(p[2], gru(p[1], jnp.take(p[0], x, axis=0))), s


def conv_norm_parameters(key, *shape):
    return {"kernel": glorot(key, shape), "norm": norm_parameters(shape[-1]), "statistics": norm_statistics(shape[-1])}


def conv_norm(p, x, stride=1):
    """A convolution with padding on all sides and a normalisation by running statistics."""
    around = p["kernel"].shape[0] // 2
    x = convolve(p["kernel"], x, stride, [(around, around), (around, around)])
    return normalize(p["norm"], p["statistics"], x, 1e-5)


def bottleneck_parameters(key, inputs, width):
    keys = jax.random.split(key, 4)
    p = {
        "a": conv_norm_parameters(keys[0], 1, 1, inputs, width),
        "b": conv_norm_parameters(keys[1], 3, 3, width, width),
        "c": conv_norm_parameters(keys[2], 1, 1, width, 4 * width),
    }
    if inputs != 4 * width:
        p["shortcut"] = conv_norm_parameters(keys[3], 1, 1, inputs, 4 * width)
    return p


def bottleneck(p, x, stride):
    y = jax.nn.relu(conv_norm(p["a"], x, stride))
    y = jax.nn.relu(conv_norm(p["b"], y))
    y = conv_norm(p["c"], y)
    if "shortcut" in p:
        x = conv_norm(p["shortcut"], x, stride)
    return jax.nn.relu(x + y)


def resnet_parameters(key):
    stem, *keys = jax.random.split(key, 5)
    stages, channels = [], 64
    for key, blocks, width in zip(keys, (3, 4, 6, 3), (64, 128, 256, 512), strict=True):
        stage = []
        for block_key in jax.random.split(key, blocks):
            stage.append(bottleneck_parameters(block_key, channels, width))
            channels = 4 * width
        stages.append(stage)
    return {"stem": conv_norm_parameters(stem, 7, 7, 3, 64), "stages": stages}


def resnet(p, x):
    x = jax.nn.relu(conv_norm(p["stem"], x, 2))
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), [(0, 0), (1, 1), (1, 1), (0, 0)])
    for index, stage in enumerate(p["stages"]):
        for block, parameters in enumerate(stage):
            x = bottleneck(parameters, x, 2 if index > 0 and block == 0 else 1)
    return x.mean((1, 2))


def slower(step):
    return 1e-4 / (1 + 1e-6 * step)


rmsprop = partial(optax.rmsprop, decay=0.9, eps=1e-7, eps_in_sqrt=False)

TRAINED = {
    "mnist_mlp": (mlp_parameters, mlp, rmsprop(0.001)),
    "cifar10_cnn": (cnn_parameters, cnn, optax.sgd(0.01, momentum=0.9)),
    "mnist_cnn": (mnist_cnn_parameters, mnist_cnn, optax.adadelta(1.0, rho=0.95, eps=1e-7)),
    "cifar10_keras_cnn": (keras_cnn_parameters, keras_cnn, rmsprop(slower)),
    "cifar10_keras_cnn_loader": (keras_cnn_parameters, keras_cnn, rmsprop(slower)),
    "cifar10_tpu_cnn": (tpu_cnn_parameters, tpu_cnn, optax.adam(0.001, eps=1e-7)),
    "mnist_hrnn": (hrnn_parameters, hrnn, rmsprop(0.001)),
    "babi_rnn": (babi_parameters, babi, optax.adam(0.001, eps=1e-7)),
    "imdb_gru": (imdb_parameters, imdb, optax.adam(0.001, eps=1e-8)),
}


def build_trained(workload):
    make_parameters, network, optimizer = TRAINED[workload]
    key, parameters_key = jax.random.split(jax.random.key(0))
    parameters = make_parameters(parameters_key)
    statistics = [norm_statistics(3), norm_statistics(32)] if workload == "cifar10_tpu_cnn" else []
    state = (parameters, statistics, optimizer.init(parameters), key)

    def loss_function(parameters, statistics, key, inputs, labels):
        logits, statistics = network(parameters, statistics, key, *inputs)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), statistics

    @partial(jax.jit, donate_argnums=0)
    def train_step(state, *batch):
        *inputs, labels = batch
        parameters, statistics, optimizer_state, key = state
        key, dropout_key = jax.random.split(key)
        differentiated = jax.value_and_grad(loss_function, has_aux=True)
        (loss, statistics), gradients = differentiated(parameters, statistics, dropout_key, inputs, labels)
        updates, optimizer_state = optimizer.update(gradients, optimizer_state, parameters)
        return (optax.apply_updates(parameters, updates), statistics, optimizer_state, key), loss

    def prepare(inputs, labels):
        return list(zip(*map(channels_last, inputs), labels.astype(np.int32), strict=True))

    def train(batches):
        nonlocal state
        losses = []
        for batch in batches:
            state, loss = train_step(state, *batch)
            losses.append(loss)
        jax.block_until_ready(state)
        return np.mean(jax.device_get(losses))

    return prepare, train


def build_resnet():
    parameters = resnet_parameters(jax.random.key(0))
    predict = jax.jit(resnet)

    def prepare(inputs, labels):
        return list(channels_last(inputs[0]))

    def train(batches):
        return jax.block_until_ready([predict(parameters, images) for images in batches])

    return prepare, train


def build(workload):
    return build_resnet() if workload == "resnet50_features" else build_trained(workload)


class Images:
    """Images, channels last, and their labels, as Grain reads them one by one."""

    def __init__(self, images, labels):
        self.images, self.labels = np.load(images, mmap_mode="r"), np.load(labels, mmap_mode="r")

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index].transpose(1, 2, 0).astype(np.float32) / 255, np.int32(self.labels[index])


def augment(record, rng):
    """Move an image by up to 3 pixels and perhaps mirror it."""
    image, label = record
    top, left = rng.integers(0, 7, size=2)
    image = np.pad(image, ((3, 3), (3, 3), (0, 0)), mode="edge")[top : top + 32, left : left + 32]
    return image[:, ::-1] if rng.random() < 0.5 else image, label


def make_loader(images, labels):
    """Epoch after epoch, read by two threads, at most 10 batches ahead."""
    import grain  # here: programs that train on arrays don't load it

    images = grain.MapDataset.source(Images(images, labels)).seed(0).shuffle().random_map(augment)
    batches = images.batch(32, drop_remainder=True).repeat()
    return batches.to_iter_dataset(grain.ReadOptions(num_threads=2, prefetch_buffer_size=10))


serve(build, make_loader)
