"""An epoch of training in Keras 2, then the accuracy."""

import os
import time

from . import shims  # noqa: F401

# isort: split
import numpy as np
from keras import backend as K
from keras.utils import to_categorical

from rosetta_worker.script import accuracy, as_fed, load, shuffled, training_samples

from . import implementation, workload

if "mxnet" in workload.VARIANTS:
    import mxnet as mx

    from . import backend_mxnet  # noqa: F401  repairs batch normalisation and LSTMs

np.random.seed(1)
K.set_image_data_format("channels_first")
# The loss takes a smaller probability for this one, 1e-7 unless told otherwise, with a gradient of 0.
K.set_epsilon(1e-20)
if workload.TOKENS and workload.OPTIONS:
    lengths = {name + "_length": shape[0] for name, shape in zip(workload.NAMES, workload.SHAPES)}
    model = implementation.make_model(**{**lengths, **workload.OPTIONS})
else:
    model = implementation.make_model()


def fed(inputs):
    """Return what a model is fed: an array, or a list where it has several inputs."""
    return list(inputs) if len(inputs) > 1 else inputs[0]


def probabilities(*inputs):
    """Return the probabilities of a batch."""
    return np.asarray(model.predict_on_batch(fed(inputs)))


train_set = load(workload.TRAIN_FILES)

if workload.TRAINED:
    rows = shuffled(train_set)
    if workload.OWN_LOADER:
        loader = implementation.make_loader(*(os.path.join(workload.DATA, file) for file in workload.TRAIN_FILES))
    else:
        *inputs, labels = training_samples(train_set, rows)
        labels = to_categorical(labels, workload.CLASSES)

    start = time.perf_counter()
    if workload.OWN_LOADER:
        loss = implementation.train_from_loader(model, loader, len(rows) // workload.BATCH_SIZE)
    else:
        loss = implementation.train(model, fed(inputs), labels, workload.BATCH_SIZE)
    if "mxnet" in workload.VARIANTS:
        mx.nd.waitall()
    seconds = time.perf_counter() - start
    print(f"epoch: {len(rows) // workload.BATCH_SIZE} steps in {seconds:.1f} s, mean loss {np.mean(loss):.4f}")

    test_set = load(workload.TEST_FILES)
    print(f"accuracy: {accuracy(probabilities, test_set):.4f} on {len(test_set[-1])} test samples")
else:
    inputs = as_fed(train_set[:-1])
    start = time.perf_counter()
    features = implementation.predict(model, fed(inputs))
    print(f"features: {features.shape} in {time.perf_counter() - start:.1f} s")
