"""An epoch of training in Keras, then the accuracy."""

import os
import time

import keras
import numpy as np

from rosetta_worker.layouts import images_to_channels_last
from rosetta_worker.script import accuracy, as_fed, load, shuffled, training_samples

from . import implementation, workload

if "tensorflow" in workload.VARIANTS:
    from .patches import sum_gradients_by_token

keras.utils.set_random_seed(1)
model = implementation.make_model(**workload.OPTIONS)


def fed(inputs):
    """Return what a model is fed: an array, or a list where it has several inputs; images channels last."""
    arrays = [images_to_channels_last(array) for array in inputs]
    return arrays if len(arrays) > 1 else arrays[0]


def logits(*inputs):
    """Return the logits of a batch."""
    return np.asarray(model.predict_on_batch(fed(inputs)))


train_set = load(workload.TRAIN_FILES)

if workload.TRAINED:
    if "tensorflow" in workload.VARIANTS:
        sum_gradients_by_token(model.optimizer)
    rows = shuffled(train_set)
    if workload.OWN_LOADER:
        loader = implementation.make_loader(*(os.path.join(workload.DATA, file) for file in workload.TRAIN_FILES))
    else:
        *inputs, labels = training_samples(train_set, rows)
        inputs = fed(inputs)

    start = time.perf_counter()
    if workload.OWN_LOADER:
        loss = implementation.train_from_loader(model, loader, len(rows) // workload.BATCH_SIZE)
    else:
        loss = implementation.train(model, inputs, labels, workload.BATCH_SIZE)
    seconds = time.perf_counter() - start
    print(f"epoch: {len(rows) // workload.BATCH_SIZE} steps in {seconds:.1f} s, mean loss {np.mean(loss):.4f}")

    test_set = load(workload.TEST_FILES)
    print(f"accuracy: {accuracy(logits, test_set):.4f} on {len(test_set[-1])} test samples")
else:
    inputs = fed(as_fed(train_set[:-1]))
    start = time.perf_counter()
    features = implementation.predict(model, inputs)
    print(f"features: {features.shape} in {time.perf_counter() - start:.1f} s")
