"""An epoch of training in PyTorch, then the accuracy."""

import itertools
import os
import time

import torch

from rosetta_worker.script import accuracy, all_batches, load, shuffled, training_batches

from . import implementation, workload

torch.manual_seed(1)
device = torch.device(workload.DEVICE)
model = implementation.Network(**workload.OPTIONS).to(device)
if "channels_last" in workload.VARIANTS:
    model.to(memory_format=torch.channels_last)
if "compile" in workload.VARIANTS:
    model.compile()


def tensors(batches):
    """Turn the arrays of batches into tensors."""
    return (tuple(map(torch.from_numpy, batch)) for batch in batches)


@torch.inference_mode()
def logits(*inputs):
    """Return the logits of a batch of arrays."""
    return model(*(torch.from_numpy(array).to(device) for array in inputs)).cpu().numpy()


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
    losses = implementation.train(model, optimizer, batches, device)
    loss = torch.stack(losses).mean().item()  # waits for the device
    print(f"epoch: {len(losses)} steps in {time.perf_counter() - start:.1f} s, mean loss {loss:.4f}")

    model.eval()
    test_set = load(workload.TEST_FILES)
    print(f"accuracy: {accuracy(logits, test_set):.4f} on {len(test_set[-1])} test samples")
else:
    start = time.perf_counter()
    inputs_only = ((images,) for images, _ in tensors(all_batches(train_set)))
    features = torch.cat(implementation.predict(model, inputs_only, device)).cpu()
    print(f"features: {tuple(features[: len(train_set[-1])].shape)} in {time.perf_counter() - start:.1f} s")
