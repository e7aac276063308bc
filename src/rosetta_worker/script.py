"""The arrays of a data set, and their samples as the network takes them."""

# What all frameworks' scripts have in common: it is written into each of them.

import os

import numpy as np

from rosetta_worker.batches import augmented

from . import workload

rng = np.random.default_rng(1)


def load(files):
    """Open the files' arrays, the labels last; what isn't used of them stays on disk."""
    paths = [os.path.join(workload.DATA, file) for file in files]
    return [np.load(path, mmap_mode="r")[: workload.SAMPLES] for path in paths]


def shuffled(arrays):
    """Return the rows of an epoch: the samples in random order, as many as make whole batches."""
    samples = len(arrays[-1])
    if workload.HELD_OUT:
        samples -= round(samples * workload.HELD_OUT)  # the last ones are never trained on
    return rng.permutation(samples)[: samples // workload.BATCH_SIZE * workload.BATCH_SIZE]


def as_fed(inputs):
    """Return inputs as the network takes them: pixels in float32, their channels first, or tokens in int32."""
    inputs = [values.reshape(len(values), *shape) for values, shape in zip(inputs, workload.SHAPES)]
    if workload.TOKENS:
        return [tokens.astype(np.int32) for tokens in inputs]
    else:
        return [pixels.astype(np.float32) * np.float32(workload.SCALE) for pixels in inputs]


def training_samples(arrays, rows):
    """Return the inputs and the labels of these rows."""
    *inputs, labels = [array[rows] for array in arrays]
    if workload.SHIFT:
        moves = rng.integers(-workload.SHIFT, workload.SHIFT + 1, (len(rows), 2))
        mirrored = rng.integers(0, 2, (len(rows), 1))
        inputs = [augmented(images, np.concatenate([moves, mirrored], axis=1)) for images in inputs]
    return (*as_fed(inputs), labels)


def training_batches(arrays, rows):
    """Yield the inputs and the labels of these rows batch by batch."""
    for start in range(0, len(rows), workload.BATCH_SIZE):
        yield training_samples(arrays, rows[start : start + workload.BATCH_SIZE])


def all_batches(arrays):
    """Yield the inputs and the labels of all samples; the last batch is filled up, with −1 for labels."""
    samples = len(arrays[-1])
    for start in range(0, samples, workload.BATCH_SIZE):
        rows = np.arange(start, min(start + workload.BATCH_SIZE, samples))
        filled = np.resize(rows, workload.BATCH_SIZE)
        *inputs, labels = [array[filled] for array in arrays]
        labels[len(rows) :] = -1
        yield (*as_fed(inputs), labels)


def accuracy(predict, arrays):
    """Return the share of labels whose class has the largest output; ``predict`` maps a batch's inputs to outputs."""
    right = 0
    for *inputs, labels in all_batches(arrays):
        right += int((np.argmax(predict(*inputs), axis=-1) == labels).sum())
    return right / arrays[-1].size
