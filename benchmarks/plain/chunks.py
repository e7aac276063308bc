"""What the plain scripts share: batches from the arrays on the command line, and chunks asked for on standard input.

    python torch_plain.py WORKLOAD TRAIN_INPUTS.npy TRAIN_LABELS.npy ORDER.npy

``ORDER.npy`` has the samples' indices in training order. When the script has built its network it prints ``ready``.
Each line ``run FIRST LEAD_IN STEPS`` then trains on LEAD_IN batches from step FIRST on, trains on the STEPS batches
after them, and prints ``seconds S``: how long the latter took, the wait for the device included.
"""

import sys
import time

import numpy as np


def serve(build):
    """Answer until standard input ends.

    ``build(workload)`` returns the batch size and two functions: ``prepare(images, labels)`` brings batches, float32
    (steps, batch, …) channels first and int64 (steps, batch), into the framework's layout before the clock starts;
    ``train(batches)`` trains on them and returns when the device has finished.
    """
    workload, inputs_file, labels_file, order_file = sys.argv[1:]
    inputs, labels = np.load(inputs_file, mmap_mode="r"), np.load(labels_file, mmap_mode="r")
    order = np.load(order_file)
    shape = {"mnist_mlp": (784,), "cifar10_cnn": (3, 32, 32)}[workload]
    batch_size, prepare, train = build(workload)

    def batches(first, steps):
        rows = order[np.arange(first * batch_size, (first + steps) * batch_size) % len(order)]
        images = inputs[rows].astype(np.float32) / 255
        return prepare(images.reshape(steps, batch_size, *shape), labels[rows].reshape(steps, batch_size))

    print("ready", flush=True)
    for line in sys.stdin:
        first, lead_in, steps = map(int, line.split()[1:])
        warm = batches(first, lead_in) if lead_in else None
        chunk = batches(first + lead_in, steps)
        if warm is not None:
            train(warm)
        start = time.perf_counter()
        train(chunk)
        print("seconds", time.perf_counter() - start, flush=True)


def channels_last(images):
    """(…, channels, height, width) → (…, height, width, channels), contiguous; flat images are left alone."""
    return np.ascontiguousarray(np.moveaxis(images, -3, -1)) if images.ndim == 5 else images
