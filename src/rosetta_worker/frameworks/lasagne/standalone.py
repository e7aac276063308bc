"""An epoch of training in Lasagne, on Theano, then the accuracy."""

import time

from . import shims  # noqa: F401

# isort: split
import lasagne
import numpy as np
import theano
import theano.tensor as T
from lasagne.layers import get_output

from rosetta_worker.script import accuracy, all_batches, load, shuffled, training_batches

from . import implementation, workload

lasagne.random.set_rng(np.random.RandomState(1))
symbol = T.TensorType
dtype = "int32" if workload.TOKENS else theano.config.floatX
inputs = [symbol(dtype, (False,) * (1 + len(shape)))(n) for n, shape in zip(workload.NAMES, workload.SHAPES)]
network = implementation.build_network(*inputs, **workload.OPTIONS)


def with_int32_labels(batches):
    """Give labels the integers of Theano's ivector."""
    return ((*arrays, labels.astype(np.int32)) for *arrays, labels in batches)


train_set = load(workload.TRAIN_FILES)

if workload.TRAINED:
    train_step, _ = implementation.compile_train_step(network, *inputs, T.ivector("labels"))
    batches = with_int32_labels(training_batches(train_set, shuffled(train_set)))

    start = time.perf_counter()
    losses = implementation.train(train_step, batches)
    print(f"epoch: {len(losses)} steps in {time.perf_counter() - start:.1f} s, mean loss {np.mean(losses):.4f}")

    logits = theano.function(inputs, get_output(network, deterministic=True))
    test_set = load(workload.TEST_FILES)
    print(f"accuracy: {accuracy(logits, test_set):.4f} on {len(test_set[-1])} test samples")
else:
    predict_step = implementation.compile_predict_step(network, *inputs)
    start = time.perf_counter()
    inputs_only = ((images,) for images, _ in all_batches(train_set))
    features = np.concatenate(implementation.predict(predict_step, inputs_only))
    print(f"features: {features[: len(train_set[-1])].shape} in {time.perf_counter() - start:.1f} s")
