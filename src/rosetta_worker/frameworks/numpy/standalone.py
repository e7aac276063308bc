"""An epoch of training in NumPy, gradients by autograd, then the accuracy. It is slow: try ``--samples 512`` first."""

import time

import numpy as np
from autograd import value_and_grad

from rosetta_worker.script import accuracy, all_batches, load, shuffled, training_batches

from . import implementation, workload
from .layers import softmax_cross_entropy
from .mode import Mode

training = Mode(training=True, dropout=True, seed=1)
prediction = Mode()


def initial(kind, shape):
    """Return first values of a parameter: random weights with the variance 2 / (inputs + outputs), zeros, ones."""
    if kind in ("norm_scale", "norm_variance", "activation_scale", "activation_slope"):
        return np.ones(shape)
    if kind.endswith("weight"):
        fan = (shape[0] + shape[1]) * np.prod(shape[2:])
        return np.random.default_rng(list(shape)).normal(0, np.sqrt(2 / fan), shape)
    return np.zeros(shape)


def mean_loss(parameters, inputs, labels):
    """Return the loss of a batch, the function that autograd differentiates."""
    return softmax_cross_entropy(implementation.network(parameters, *inputs, training), labels)


def exact(inputs):
    """Turn pixels into float64; tokens stay integers."""
    return [x.astype(np.float64) if x.dtype.kind == "f" else x for x in inputs]


def outputs(*inputs):
    """Return the logits, or the features, of a batch."""
    return implementation.network(parameters, *exact(inputs), prediction)


parameters = {name: initial(kind, shape) for name, (kind, shape) in workload.PARAMETERS.items()}
train_set = load(workload.TRAIN_FILES)
start = time.perf_counter()

if workload.TRAINED:
    update = implementation.make_optimizer(parameters)
    loss_and_gradients = value_and_grad(mean_loss)
    losses = []
    for *inputs, labels in training_batches(train_set, shuffled(train_set)):
        loss, gradients = loss_and_gradients(parameters, exact(inputs), labels)
        update(parameters, {name: gradients[name] for name in workload.TRAINABLE})
        parameters.update(training.running)
        losses.append(loss)
    seconds = time.perf_counter() - start
    print(f"epoch: {len(losses)} steps in {seconds:.1f} s, mean loss {np.mean(losses):.4f}")

    test_set = load(workload.TEST_FILES)
    print(f"accuracy: {accuracy(outputs, test_set):.4f} on {len(test_set[-1])} test samples")
else:
    features = np.concatenate([outputs(images) for images, _ in all_batches(train_set)])
    print(f"features: {features[: len(train_set[-1])].shape} in {time.perf_counter() - start:.1f} s")
