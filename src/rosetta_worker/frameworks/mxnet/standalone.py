"""An epoch of training in MXNet's Gluon, then the accuracy."""

import itertools
import os
import time

import mxnet as mx
import numpy as np

from rosetta_worker.script import accuracy, all_batches, load, shuffled, training_batches

from . import implementation, workload

mx.random.seed(1)
np.random.seed(1)  # MXNet's initialisers and its loader draw from NumPy's global generator
network = implementation.make_network(**workload.OPTIONS)


def tensors(batches):
    """Turn the arrays of batches into MXNet's; left alone, MXNet makes everything float32."""
    return (tuple(mx.nd.array(array, dtype=array.dtype) for array in batch) for batch in batches)


def logits(*inputs):
    """Return the logits of a batch of arrays."""
    (batch,) = tensors([inputs])
    return network(*batch).asnumpy()


train_set = load(workload.TRAIN_FILES)

if workload.TRAINED:
    trainer = implementation.make_trainer(network)
    rows = shuffled(train_set)
    if workload.OWN_LOADER:
        loader = implementation.make_loader(*(os.path.join(workload.DATA, file) for file in workload.TRAIN_FILES))
        batches = itertools.islice(loader, len(rows) // workload.BATCH_SIZE)
    else:
        batches = tensors(training_batches(train_set, rows))

    start = time.perf_counter()
    losses = implementation.train(network, trainer, batches)
    mx.nd.waitall()
    seconds = time.perf_counter() - start
    loss = np.mean([loss.asscalar() for loss in losses])
    print(f"epoch: {len(losses)} steps in {seconds:.1f} s, mean loss {loss:.4f}")

    test_set = load(workload.TEST_FILES)
    print(f"accuracy: {accuracy(logits, test_set):.4f} on {len(test_set[-1])} test samples")
else:
    start = time.perf_counter()
    inputs_only = ((images,) for images, _ in tensors(all_batches(train_set)))
    features = mx.nd.concat(*implementation.predict(network, inputs_only), dim=0).asnumpy()
    print(f"features: {features[: len(train_set[-1])].shape} in {time.perf_counter() - start:.1f} s")
