"""An epoch of training in MXNet's Module API, then the accuracy."""

import itertools
import os
import time

import mxnet as mx
import numpy as np

from rosetta_worker.script import accuracy, all_batches, load, shuffled, training_batches

from . import implementation, workload

mx.random.seed(1)
np.random.seed(1)  # MXNet's initialisers draw from NumPy's global generator
symbol = implementation.make_symbol(**workload.OPTIONS)
dtype = np.dtype("int32" if workload.TOKENS else "float32")
shapes = [
    mx.io.DataDesc(name, (workload.BATCH_SIZE, *shape), dtype) for name, shape in zip(workload.NAMES, workload.SHAPES)
]


def data_batches(batches):
    """Turn the arrays of batches into what a module takes."""
    for *inputs, labels in batches:
        tensors = [mx.nd.array(array, dtype=array.dtype) for array in inputs]
        yield mx.io.DataBatch(tensors, [mx.nd.array(labels, dtype="float32")])


def logits(*inputs):
    """Return the logits of a batch of arrays."""
    predictor.forward(mx.io.DataBatch([mx.nd.array(array, dtype=array.dtype) for array in inputs]), is_train=False)
    return predictor.get_outputs()[0].asnumpy()


train_set = load(workload.TRAIN_FILES)

if workload.TRAINED:
    label_shapes = [mx.io.DataDesc("softmax_label", (workload.BATCH_SIZE,))]
    module = implementation.make_module(symbol, shapes, label_shapes)
    implementation.init_optimizer(module)
    rows = shuffled(train_set)
    if workload.OWN_LOADER:
        loader = implementation.make_loader(*(os.path.join(workload.DATA, file) for file in workload.TRAIN_FILES))
        batches = itertools.islice(loader, len(rows) // workload.BATCH_SIZE)
    else:
        batches = data_batches(training_batches(train_set, rows))

    start = time.perf_counter()
    loss = implementation.train(module, batches)
    mx.nd.waitall()
    seconds = time.perf_counter() - start
    print(f"epoch: {len(rows) // workload.BATCH_SIZE} steps in {seconds:.1f} s, mean loss {loss:.4f}")

    # What goes into the softmax, with the same parameters.
    predictor = mx.mod.Module(symbol.get_children()[0], data_names=module.data_names, label_names=None)
    predictor.bind(shapes, for_training=False, shared_module=module)
    test_set = load(workload.TEST_FILES)
    print(f"accuracy: {accuracy(logits, test_set):.4f} on {len(test_set[-1])} test samples")
else:
    module = implementation.make_module(symbol, shapes)
    start = time.perf_counter()
    features = mx.nd.concat(*implementation.predict(module, data_batches(all_batches(train_set))), dim=0).asnumpy()
    print(f"features: {features[: len(train_set[-1])].shape} in {time.perf_counter() - start:.1f} s")
