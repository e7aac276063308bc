"""An epoch of training in Chainer, then the accuracy."""

import itertools
import os
import time

import chainer
import numpy as np

from rosetta_worker.script import accuracy, all_batches, load, shuffled, training_batches

from . import implementation, workload

np.random.seed(1)  # initialisers and dropout draw from NumPy's global generator
model = implementation.Network(**workload.OPTIONS)


def with_int32_labels(batches):
    """Give labels the integers that Chainer wants."""
    return ((*inputs, labels.astype(np.int32)) for *inputs, labels in batches)


def logits(*inputs):
    """Return the logits of a batch."""
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        return model(*inputs).array


train_set = load(workload.TRAIN_FILES)

if workload.TRAINED:
    optimizer = implementation.make_optimizer(model)
    rows = shuffled(train_set)
    if workload.OWN_LOADER:
        iterator = implementation.make_iterator(*(os.path.join(workload.DATA, file) for file in workload.TRAIN_FILES))
        examples = itertools.islice(iterator, len(rows) // workload.BATCH_SIZE)
        batches = map(chainer.dataset.concat_examples, examples)
    else:
        batches = with_int32_labels(training_batches(train_set, rows))

    start = time.perf_counter()
    losses = implementation.train(model, optimizer, batches)
    print(f"epoch: {len(losses)} steps in {time.perf_counter() - start:.1f} s, mean loss {np.mean(losses):.4f}")
    if workload.OWN_LOADER:
        iterator.finalize()

    test_set = load(workload.TEST_FILES)
    print(f"accuracy: {accuracy(logits, test_set):.4f} on {len(test_set[-1])} test samples")
else:
    start = time.perf_counter()
    inputs_only = ((images,) for images, _ in all_batches(train_set))
    features = np.concatenate(implementation.predict(model, inputs_only))
    print(f"features: {features[: len(train_set[-1])].shape} in {time.perf_counter() - start:.1f} s")
