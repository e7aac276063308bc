"""What the plain scripts share: batches from the arrays on the command line, and chunks asked for on standard input.

    python torch_plain.py WORKLOAD ARRAYS.json

``ARRAYS.json`` has the paths ``inputs`` (one array for each input of the network), ``labels`` and ``order``, each
input's ``shapes`` and ``kinds`` ("pixels", scaled by ``scale``, or "tokens") and the ``batch_size``. The order has for
each sample, in training order, its row and, where images are augmented, how far down and right it is moved and whether
it is mirrored. When the script has built its network it prints ``ready``. Each line ``run FIRST LEAD_IN STEPS`` then
trains on LEAD_IN batches from step FIRST on, trains on the STEPS batches after them, and prints ``seconds S``: how long
the latter took, the wait for the device included.

Where ``own_loader`` is true, the framework's own loader reads ``inputs`` (one array) and ``labels``, in its own order:
each run goes on where the last one ended, whatever FIRST is, and batches are loaded while the clock runs, but for the
few that the loader has read ahead.
"""

import importlib.util
import itertools
import json
import sys
import time
from pathlib import Path

import numpy as np


def serve(build, make_loader=None):
    """Answer until standard input ends.

    ``build(workload)`` returns two functions: ``prepare(inputs, labels)`` brings batches, a tuple of float32 pixels,
    channels first, or int32 tokens (steps, batch, …), and int64 (steps, batch), into the framework's layout before the
    clock starts; ``train(batches)`` trains (or predicts) on them and returns when the device has finished.
    ``make_loader(images, labels)`` takes the paths of uint8 (samples, channels, height, width) and int64 (samples,) and
    returns batches without end, as ``train`` takes them, in one iteration that all chunks go on with.
    """
    with open(sys.argv[2]) as file:
        data = json.load(file)
    prepare, train = build(sys.argv[1])
    if data["own_loader"]:
        loader = iter(make_loader(*data["inputs"], data["labels"]))
        batches = lambda first, steps: itertools.islice(loader, steps)
    else:
        batches = in_order(data, prepare)

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


def put_back(framework):
    """Put back what an old framework asks of Python and no longer finds there: its folder's ``shims.py`` does that."""
    file = Path(__file__).resolve().parents[2] / "src" / "rosetta_worker" / "frameworks" / framework / "shims.py"
    specification = importlib.util.spec_from_file_location("shims", file)
    specification.loader.exec_module(importlib.util.module_from_spec(specification))


def in_order(data, prepare):
    """Return a function that gathers and prepares the batches from a step on, in the order of ARRAYS.json."""
    arrays = [np.load(path, mmap_mode="r") for path in data["inputs"]]
    all_labels, order, batch_size = np.load(data["labels"], mmap_mode="r"), np.load(data["order"]), data["batch_size"]

    def batches(first, steps):
        chosen = order[np.arange(first * batch_size, (first + steps) * batch_size) % len(order)]
        inputs = []
        for array, shape, kind in zip(arrays, data["shapes"], data["kinds"], strict=True):
            values = array[chosen[:, 0]]
            if chosen.shape[1] > 1:
                values = np.stack([moved(image, *change) for image, change in zip(values, chosen[:, 1:], strict=True)])
            values = values.astype(np.int32) if kind == "tokens" else values * np.float32(data["scale"])
            inputs.append(values.reshape(steps, batch_size, *shape))
        return prepare(tuple(inputs), all_labels[chosen[:, 0]].reshape(steps, batch_size))

    return batches


def moved(image, down, right, mirrored):
    """Move an image, (channels, height, width), its edge repeated into the gap, and perhaps mirror it."""
    edges = ((0, 0), (abs(down), abs(down)), (abs(right), abs(right)))
    height, width = image.shape[1:]
    top, left = abs(down) - down, abs(right) - right
    image = np.pad(image, edges, mode="edge")[:, top : top + height, left : left + width]
    return image[:, :, ::-1] if mirrored else image


def channels_last(images):
    """(…, channels, height, width) → (…, height, width, channels), contiguous; what isn't images is left alone."""
    return np.ascontiguousarray(np.moveaxis(images, -3, -1)) if images.ndim == 5 else images
