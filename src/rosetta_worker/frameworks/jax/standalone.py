"""An epoch of training in JAX, with Flax NNX and Optax, then the accuracy."""

import itertools
import os
import time

import jax
import numpy as np
from flax import nnx

from rosetta_worker.layouts import images_to_channels_last
from rosetta_worker.script import accuracy, all_batches, load, shuffled, training_batches

from . import implementation, workload

jax.config.update("jax_default_matmul_precision", "highest")
network = implementation.Network(nnx.Rngs(1), **workload.OPTIONS)


def on_host(batches):
    """Give images their channels last, and labels the integers that JAX has; the step copies them to the device."""
    for *inputs, labels in batches:
        yield (*map(images_to_channels_last, inputs), labels.astype(np.int32))


def logits(*inputs):
    """Return the logits of a batch."""
    return np.asarray(compiled(evaluated, *map(images_to_channels_last, inputs)))


train_set = load(workload.TRAIN_FILES)

if workload.TRAINED:
    optimizer = implementation.make_optimizer(network)
    step = implementation.compile_train_step(network, optimizer)
    rows = shuffled(train_set)
    if workload.OWN_LOADER:
        files = [os.path.join(workload.DATA, file) for file in workload.TRAIN_FILES]
        batches = itertools.islice(implementation.make_loader(*files, seed=1), len(rows) // workload.BATCH_SIZE)
    else:
        batches = on_host(training_batches(train_set, rows))

    start = time.perf_counter()
    losses = np.array(jax.device_get(implementation.train(step, batches)))  # waits for the device
    seconds = time.perf_counter() - start
    print(f"epoch: {len(losses)} steps in {seconds:.1f} s, compilation included, mean loss {losses.mean():.4f}")

    # The same parameters, dropout off, batch normalisation by its running statistics.
    evaluated = nnx.view(network, raise_if_not_found=False, deterministic=True, use_running_average=True)
    compiled = nnx.jit(lambda model, *inputs: model(*inputs))
    test_set = load(workload.TEST_FILES)
    print(f"accuracy: {accuracy(logits, test_set):.4f} on {len(test_set[-1])} test samples")
else:
    step = implementation.compile_predict_step(network)
    start = time.perf_counter()
    inputs_only = ((images,) for images, _ in on_host(all_batches(train_set)))
    features = np.concatenate(implementation.predict(step, inputs_only))
    print(f"features: {features[: len(train_set[-1])].shape} in {time.perf_counter() - start:.1f} s")
