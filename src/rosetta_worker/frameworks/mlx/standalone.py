"""An epoch of training in MLX, then the accuracy."""

import time

import mlx.core as mx
import numpy as np

from rosetta_worker.layouts import images_to_channels_last
from rosetta_worker.script import accuracy, all_batches, load, shuffled, training_batches

from . import implementation, workload

mx.set_default_device(mx.cpu)
mx.random.seed(1)
network = implementation.Network(**workload.OPTIONS)
mx.eval(network.parameters())


def arrays(batches):
    """Turn the arrays of batches into MLX's, images with their channels last."""
    for batch in batches:
        yield tuple(
            mx.array(images_to_channels_last(x), mx.float32 if x.dtype.kind == "f" else mx.int32) for x in batch
        )


def logits(*inputs):
    """Return the logits of a batch."""
    (batch,) = arrays([inputs])
    return np.array(network(*batch))


train_set = load(workload.TRAIN_FILES)

if workload.TRAINED:
    optimizer = implementation.make_optimizer()
    optimizer.init(network.trainable_parameters())
    train_step = implementation.make_train_step(network, optimizer)
    batches = arrays(training_batches(train_set, shuffled(train_set)))

    start = time.perf_counter()
    losses = np.array(mx.stack(implementation.train(network, optimizer, train_step, batches)))
    print(f"epoch: {len(losses)} steps in {time.perf_counter() - start:.1f} s, mean loss {losses.mean():.4f}")

    network.eval()
    test_set = load(workload.TEST_FILES)
    print(f"accuracy: {accuracy(logits, test_set):.4f} on {len(test_set[-1])} test samples")
else:
    predict_step = implementation.compile_predict_step(network)
    start = time.perf_counter()
    inputs_only = ((images,) for images, _ in arrays(all_batches(train_set)))
    features = mx.concatenate(implementation.predict(predict_step, inputs_only))
    print(f"features: {features[: len(train_set[-1])].shape} in {time.perf_counter() - start:.1f} s")
