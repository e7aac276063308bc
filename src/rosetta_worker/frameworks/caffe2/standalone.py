"""An epoch of training in Caffe2, then the accuracy."""

import os
import time

from . import shims  # noqa: F401

# isort: split
import numpy as np
from caffe2.python import model_helper, workspace

from rosetta_worker.script import accuracy, all_batches, load, shuffled, training_batches

from . import implementation, workload

# Unless told otherwise Caffe2 computes with one thread.
threads = int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))
workspace.GlobalInit(["caffe2", "--caffe2_log_level=2", "--caffe2_omp_num_threads={}".format(threads)])


def create(model):
    """Create a model's net; its inputs are fed batch by batch."""
    workspace.CreateNet(model.net, input_blobs=[*workload.NAMES, "label"])


def with_int32_labels(batches):
    """Give labels the integers that Caffe2 wants."""
    return ((*inputs, labels.astype(np.int32)) for *inputs, labels in batches)


def logits(*inputs):
    """Return the logits of a batch."""
    for name, array in zip(workload.NAMES, inputs):
        workspace.FeedBlob(name, array)
    workspace.RunNet(predictor.net)
    return workspace.FetchBlob(outputs)


train_set = load(workload.TRAIN_FILES)

if workload.TRAINED:
    model = model_helper.ModelHelper("train")
    implementation.add_loss_and_gradients(model, implementation.add_network(model, is_test=False, **workload.OPTIONS))
    implementation.add_optimizer(model)
    workspace.RunNetOnce(model.param_init_net)
    create(model)
    batches = with_int32_labels(training_batches(train_set, shuffled(train_set)))

    start = time.perf_counter()
    losses = implementation.train(model, batches)
    print(f"epoch: {len(losses)} steps in {time.perf_counter() - start:.1f} s, mean loss {np.mean(losses):.4f}")

    predictor = model_helper.ModelHelper("predict", init_params=False)  # it has the same parameters, by their names
    outputs = implementation.add_network(predictor, is_test=True, **workload.OPTIONS)
    create(predictor)
    test_set = load(workload.TEST_FILES)
    print(f"accuracy: {accuracy(logits, test_set):.4f} on {len(test_set[-1])} test samples")
else:
    predictor = model_helper.ModelHelper("predict")
    outputs = implementation.add_network(predictor, is_test=True, **workload.OPTIONS)
    workspace.RunNetOnce(predictor.param_init_net)
    create(predictor)
    start = time.perf_counter()
    inputs_only = ((images,) for images, _ in all_batches(train_set))
    features = np.concatenate(implementation.predict(predictor, outputs, inputs_only))
    print(f"features: {features[: len(train_set[-1])].shape} in {time.perf_counter() - start:.1f} s")
