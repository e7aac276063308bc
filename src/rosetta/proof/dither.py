"""Makes a proof's images without ties: a noise of less than a grey level, so that no two patches are exactly equal."""

import dataclasses

import numpy as np

from rosetta.proof.observe import candidates
from rosetta.workloads.prepared import PreparedWorkload
from rosetta_worker.batches import augmented

_NOISE = 0.5
"""Grey levels that a pixel is changed by at most: as much as it was rounded by when it became an integer."""


def without_ties(prepared: PreparedWorkload) -> PreparedWorkload:
    """Return the workload with noise in those training images that a proof can choose from.

    Tokens, and pixels that aren't integers, stay as they are.
    """
    random = np.random.default_rng(prepared.seed)
    order = np.load(prepared.data["order"], allow_pickle=False)[: candidates(prepared.workload)]
    rows = order[:, 0]
    name = f"{prepared.workload.module}-without-ties"
    inputs = []
    for index, (file, spec) in enumerate(zip(prepared.data["train_inputs"], prepared.workload.inputs, strict=True)):
        array = np.load(file, mmap_mode="r", allow_pickle=False)[rows]
        if order.shape[1] > 1:  # moved here, since the edges that are repeated then would be ties
            array = augmented(array, order[:, 1:])
        if spec.kind != "tokens" and array.dtype.kind in "ui":
            array = array + random.uniform(-_NOISE, _NOISE, array.shape).astype(np.float32)
        inputs.append(prepared.folder / f"{name}-{index}.npy")
        np.save(inputs[-1], array)
    labels, new_order = (prepared.folder / f"{name}-{what}.npy" for what in ("labels", "order"))
    np.save(labels, np.load(prepared.data["train_labels"], mmap_mode="r", allow_pickle=False)[rows])
    np.save(new_order, np.arange(len(rows), dtype=order.dtype)[:, None])
    data = {
        "train_inputs": [str(path) for path in inputs],
        "train_labels": str(labels),
        "order": str(new_order),
        "digest": f"{prepared.data['digest']} without ties",
    }
    return dataclasses.replace(prepared, data={**prepared.data, **data})
