"""Makes a proof's images without ties: a noise of less than a grey level, so that no two patches are exactly equal."""

import dataclasses

import numpy as np

from rosetta.examination import Material, candidates
from rosetta_worker.batches import augmented

_NOISE = 0.5
"""Grey levels that a pixel is changed by at most: as much as it was rounded by when it became an integer."""


def without_ties(material: Material) -> Material:
    """Return the material with noise in those training images that a proof can choose from.

    Tokens, and pixels that aren't integers, stay as they are.
    """
    random = np.random.default_rng(material.seed)
    order = np.load(material.data["order"], allow_pickle=False)[: candidates(material.workload)]
    rows = order[:, 0]
    name = f"{material.workload.module}-without-ties"
    inputs = []
    for index, (file, spec) in enumerate(zip(material.data["train_inputs"], material.workload.inputs, strict=True)):
        array = np.load(file, mmap_mode="r", allow_pickle=False)[rows]
        if order.shape[1] > 1:  # moved here, since the edges that are repeated then would be ties
            array = augmented(array, order[:, 1:])
        if spec.kind != "tokens" and array.dtype.kind in "ui":
            array = array + random.uniform(-_NOISE, _NOISE, array.shape).astype(np.float32)
        inputs.append(material.folder / f"{name}-{index}.npy")
        np.save(inputs[-1], array)
    labels, new_order = (material.folder / f"{name}-{what}.npy" for what in ("labels", "order"))
    np.save(labels, np.load(material.data["train_labels"], mmap_mode="r", allow_pickle=False)[rows])
    np.save(new_order, np.arange(len(rows), dtype=order.dtype)[:, None])
    data = {
        "train_inputs": [str(path) for path in inputs],
        "train_labels": str(labels),
        "order": str(new_order),
        "digest": f"{material.data['digest']} without ties",
    }
    return dataclasses.replace(material, data={**material.data, **data})
