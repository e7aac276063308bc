"""An epoch of training in tinygrad, then the accuracy."""

import time

import numpy as np
from tinygrad import Tensor, TinyJit
from tinygrad.nn.state import get_parameters

from rosetta_worker.script import accuracy, all_batches, load, shuffled, training_batches

from . import implementation, workload

Tensor.manual_seed(1)
network = implementation.Network(**workload.OPTIONS)
Tensor.realize(*get_parameters(network))


def tensors(batches):
    """Turn the arrays of batches into tensors, labels in int32."""
    return ((*map(Tensor, inputs), Tensor(labels.astype(np.int32))) for *inputs, labels in batches)


def logits(*inputs):
    """Return the logits of a batch of arrays."""
    return captured(*map(Tensor, inputs)).numpy()


train_set = load(workload.TRAIN_FILES)

if workload.TRAINED:
    train_step = implementation.make_train_step(network, implementation.make_optimizer(network))
    batches = tensors(training_batches(train_set, shuffled(train_set)))

    start = time.perf_counter()
    losses = implementation.train(train_step, batches)
    seconds = time.perf_counter() - start
    print(f"epoch: {len(losses)} steps in {seconds:.1f} s, compilation included, mean loss {np.mean(losses):.4f}")

    captured = TinyJit(network)
    test_set = load(workload.TEST_FILES)
    print(f"accuracy: {accuracy(logits, test_set):.4f} on {len(test_set[-1])} test samples")
else:
    predict_step = implementation.make_predict_step(network)
    start = time.perf_counter()
    inputs_only = ((images,) for images, _ in tensors(all_batches(train_set)))
    features = np.concatenate(implementation.predict(predict_step, inputs_only))
    print(f"features: {features[: len(train_set[-1])].shape} in {time.perf_counter() - start:.1f} s")
