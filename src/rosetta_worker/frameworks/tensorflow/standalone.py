"""An epoch of training in TensorFlow's core, then the accuracy."""

import itertools
import os
import time

import numpy as np
import tensorflow as tf

from rosetta_worker.layouts import images_to_channels_last
from rosetta_worker.script import accuracy, all_batches, load, shuffled, training_batches

from . import implementation, workload

tf.random.set_seed(1)
network = implementation.Network(**workload.OPTIONS)


def tensors(batches):
    """Turn the arrays of batches into tensors, images with their channels last."""
    return (tuple(tf.constant(images_to_channels_last(array)) for array in batch) for batch in batches)


def logits(*inputs):
    """Return the logits of a batch."""
    (batch,) = tensors([inputs])
    return predict_step(*batch).numpy()


train_set = load(workload.TRAIN_FILES)

if workload.TRAINED:
    optimizer = implementation.make_optimizer(network.trainable_variables)
    if "jit_compile" in workload.VARIANTS:
        for module in network.submodules:
            if hasattr(module, "fused"):
                module.fused = False  # XLA has no operation for a whole LSTM
        train_step = implementation.make_train_step(network, optimizer, jit_compile=True)
    else:
        train_step = implementation.make_train_step(network, optimizer)
    rows = shuffled(train_set)
    if workload.OWN_LOADER:
        loader = implementation.make_loader(*(os.path.join(workload.DATA, file) for file in workload.TRAIN_FILES))
        batches = itertools.islice(loader, len(rows) // workload.BATCH_SIZE)
    else:
        batches = tensors(training_batches(train_set, rows))

    start = time.perf_counter()
    losses = tf.stack(implementation.train(train_step, batches)).numpy()
    seconds = time.perf_counter() - start
    print(f"epoch: {len(losses)} steps in {seconds:.1f} s, tracing included, mean loss {losses.mean():.4f}")

    predict_step = tf.function(network)
    test_set = load(workload.TEST_FILES)
    print(f"accuracy: {accuracy(logits, test_set):.4f} on {len(test_set[-1])} test samples")
else:
    predict_step = implementation.make_predict_step(network)
    start = time.perf_counter()
    inputs_only = ((images,) for images, _ in tensors(all_batches(train_set)))
    features = np.concatenate(implementation.predict(predict_step, inputs_only))
    print(f"features: {features[: len(train_set[-1])].shape} in {time.perf_counter() - start:.1f} s")
