"""An epoch of training in PaddlePaddle, then the accuracy."""

import itertools
import os
import time

import paddle

from rosetta_worker.script import accuracy, all_batches, load, shuffled, training_batches

from . import implementation, workload

paddle.set_device("cpu")
paddle.seed(1)
model = implementation.Network(**workload.OPTIONS)
if "to_static" in workload.VARIANTS:
    model = paddle.jit.to_static(model, full_graph=True)


def tensors(batches):
    """Turn the arrays of batches into tensors."""
    return (tuple(map(paddle.to_tensor, batch)) for batch in batches)


@paddle.no_grad()
def logits(*inputs):
    """Return the logits of a batch of arrays."""
    return model(*map(paddle.to_tensor, inputs)).numpy()


train_set = load(workload.TRAIN_FILES)

if workload.TRAINED:
    optimizer = implementation.make_optimizer(model)
    rows = shuffled(train_set)
    if workload.OWN_LOADER:
        loader = implementation.make_loader(*(os.path.join(workload.DATA, file) for file in workload.TRAIN_FILES))
        batches = itertools.islice(loader, len(rows) // workload.BATCH_SIZE)
    else:
        batches = tensors(training_batches(train_set, rows))

    start = time.perf_counter()
    losses = paddle.stack(implementation.train(model, optimizer, batches)).numpy()
    print(f"epoch: {len(losses)} steps in {time.perf_counter() - start:.1f} s, mean loss {losses.mean():.4f}")

    model.eval()
    test_set = load(workload.TEST_FILES)
    print(f"accuracy: {accuracy(logits, test_set):.4f} on {len(test_set[-1])} test samples")
else:
    start = time.perf_counter()
    with paddle.no_grad():
        inputs_only = ((images,) for images, _ in tensors(all_batches(train_set)))
        features = paddle.concat(implementation.predict(model, inputs_only)).numpy()
    print(f"features: {features[: len(train_set[-1])].shape} in {time.perf_counter() - start:.1f} s")
