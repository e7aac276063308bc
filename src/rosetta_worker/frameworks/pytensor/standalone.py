"""An epoch of training in PyTensor, then the accuracy."""

import time

import numpy as np
import pytensor

from rosetta_worker.layouts import images_to_channels_last
from rosetta_worker.script import accuracy, all_batches, load, shuffled, training_batches

from . import implementation, workload

np.random.seed(1)  # the layers' initial values
network = implementation.Network(**workload.OPTIONS)


def as_symbols_want(batches):
    """Give images their channels last, and labels int32."""
    for *inputs, labels in batches:
        yield (*map(images_to_channels_last, inputs), labels.astype(np.int32))


def logits(*inputs):
    """Return the logits of a batch."""
    return predict_function(*map(images_to_channels_last, inputs))


train_set = load(workload.TRAIN_FILES)

if workload.TRAINED:
    names = [name.split(".") for name in workload.TRAINABLE]
    optimizer = implementation.make_optimizer([getattr(getattr(network, layer), name) for layer, name in names])
    train_function = implementation.make_train_function(network, optimizer)
    batches = as_symbols_want(training_batches(train_set, shuffled(train_set)))

    start = time.perf_counter()
    losses = implementation.train(train_function, batches)
    print(f"epoch: {len(losses)} steps in {time.perf_counter() - start:.1f} s, mean loss {np.mean(losses):.4f}")

    *symbols, _ = implementation.make_variables()
    predict_function = pytensor.function(symbols, network(*symbols))
    test_set = load(workload.TEST_FILES)
    print(f"accuracy: {accuracy(logits, test_set):.4f} on {len(test_set[-1])} test samples")
else:
    predict_function = implementation.make_predict_function(network)
    start = time.perf_counter()
    images_only = ((images,) for images, _ in as_symbols_want(all_batches(train_set)))
    features = np.concatenate(implementation.predict(predict_function, images_only))
    print(f"features: {features[: len(train_set[-1])].shape} in {time.perf_counter() - start:.1f} s")
