"""An epoch of training in CNTK, then the accuracy."""

import time

from . import shims  # noqa: F401

# isort: split
import cntk as C
import numpy as np

from rosetta_worker.script import accuracy, all_batches, load, shuffled, training_batches

from . import implementation, workload

C.device.try_set_default_device(C.device.cpu())
C.cntk_py.set_fixed_random_seed(1)
network = implementation.create_network(**workload.OPTIONS)
input_variables = [network[name] for name in workload.NAMES]


def as_floats(inputs):
    """Turn tokens, too, into float32: CNTK takes no integers."""
    return [np.ascontiguousarray(array, np.float32) for array in inputs]


def with_one_hot_labels(batches):
    """Give labels the form of CNTK's loss, (batch, classes)."""
    for *inputs, labels in batches:
        yield (*as_floats(inputs), np.eye(workload.CLASSES, dtype=np.float32)[labels])


def logits(*inputs):
    """Return the logits of a batch."""
    return network["output"].eval(dict(zip(input_variables, as_floats(inputs))))


train_set = load(workload.TRAIN_FILES)

if workload.TRAINED:
    for constant in network["output"].constants:
        if constant.name == "aggregate_count":
            constant.value = np.ones(())  # at zero, the first minibatch would replace the running statistics
    trainer = implementation.create_trainer(network)
    batches = with_one_hot_labels(training_batches(train_set, shuffled(train_set)))

    start = time.perf_counter()
    losses = implementation.train(trainer, network, batches)
    print(f"epoch: {len(losses)} steps in {time.perf_counter() - start:.1f} s, mean loss {np.mean(losses):.4f}")

    test_set = load(workload.TEST_FILES)
    print(f"accuracy: {accuracy(logits, test_set):.4f} on {len(test_set[-1])} test samples")
else:
    start = time.perf_counter()
    images_only = (as_floats(inputs) for *inputs, _ in all_batches(train_set))
    features = np.concatenate(implementation.predict(network, images_only))
    print(f"features: {features[: len(train_set[-1])].shape} in {time.perf_counter() - start:.1f} s")
