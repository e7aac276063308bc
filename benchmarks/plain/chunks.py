"""What the scripts here share: batches from the arrays on the command line, and chunks asked for on standard input.

    python torch_plain.py ARRAYS.json

``ARRAYS.json`` has the ``workload`` as a worker gets it, the paths ``train_inputs`` (one array for each input of the
network), ``train_labels`` and ``order``, and the pixels' ``scale``. The order has for each sample, in training order,
its row and, where images are augmented, how far down and right it is moved and whether it is mirrored. When the script
has built its network it prints ``ready``. Each line ``run FIRST LEAD_IN STEPS`` then trains on LEAD_IN batches from
step FIRST on, trains on the STEPS batches after them, and prints ``seconds S``: how long the latter took, the wait for
the device included.
"""

import json
import sys
import time

import numpy as np


def arguments():
    """Read the file on the command line."""
    with open(sys.argv[1]) as file:
        return json.load(file)


def serve(batches, train):
    """Answer until standard input ends.

    ``batches(first, steps)`` makes batches before the clock starts; ``train(batches)`` trains (or predicts) on them and
    returns when the device has finished.
    """
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


def in_order(data, prepare):
    """Return a function that gathers the batches from a step on, in the order given, and has them prepared.

    ``prepare(inputs, labels)`` brings a tuple of float32 pixels, channels first, or int32 tokens, (steps, batch, …),
    and int64 labels, (steps, batch), into the framework's layout.
    """
    workload = data["workload"]
    arrays = [np.load(path, mmap_mode="r") for path in data["train_inputs"]]
    all_labels, order = np.load(data["train_labels"], mmap_mode="r"), np.load(data["order"])
    batch_size = workload["batch_size"]

    def batches(first, steps):
        chosen = order[np.arange(first * batch_size, (first + steps) * batch_size) % len(order)]
        inputs = []
        for array, given in zip(arrays, workload["inputs"], strict=True):
            values = array[chosen[:, 0]]
            if chosen.shape[1] > 1:
                values = np.stack([moved(image, *change) for image, change in zip(values, chosen[:, 1:], strict=True)])
            is_tokens = given["kind"] == "tokens"
            values = values.astype(np.int32) if is_tokens else values * np.float32(data["scale"])
            inputs.append(values.reshape(steps, batch_size, *given["shape"]))
        return prepare(tuple(inputs), all_labels[chosen[:, 0]].reshape(steps, batch_size))

    return batches


def moved(image, down, right, mirrored):
    """Move an image, (channels, height, width), its edge repeated into the gap, and perhaps mirror it."""
    edges = ((0, 0), (abs(down), abs(down)), (abs(right), abs(right)))
    height, width = image.shape[1:]
    top, left = abs(down) - down, abs(right) - right
    image = np.pad(image, edges, mode="edge")[:, top : top + height, left : left + width]
    return image[:, :, ::-1] if mirrored else image
