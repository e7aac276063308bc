"""Padding's tokens are tokens: sequences of one word, of half the length and of all of it, in outputs and a step.

A network that masks them, or doesn't train their embedding, differs only where there is much padding: what a
recurrent layer made of it is forgotten after a few dozen words.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.client import Arrays
from rosetta.proof.errors import relative
from rosetta.proof.further.check import Moment
from rosetta.proof.observer import Observer
from rosetta.record.result import Check
from rosetta.workloads.spec import Workload

_OUTPUTS = "outputs"


class Padding:
    """The outputs of mostly padding, and how one training step changes its embeddings' rows."""

    name = "padding"
    moment: Moment = "plain"
    unseen = ""
    version = 1

    def applies(self, workload: Workload) -> bool:
        """Of networks that read tokens and are trained."""
        return workload.trains and any(given.kind == "tokens" for given in workload.inputs)

    def observe(self, observer: Observer) -> Arrays:
        """Return the outputs, (batch, classes), and by embedding the change of its row 0, (features,)."""
        client, prepared = observer.client, observer.prepared
        workload = prepared.workload
        inputs, labels = _padded(workload, prepared.seed)
        batches = {spec.name: value[None] for spec, value in zip(workload.inputs, inputs, strict=True)}
        observer.load()
        found: dict[str, NDArray[Any]] = {_OUTPUTS: client.outputs(inputs)}
        file = prepared.folder / f"padding-{client.worker.pid}.npz"
        try:
            np.savez(file, allow_pickle=False, labels=labels[None], **batches)
            client.train_on(file)
        finally:
            file.unlink(missing_ok=True)
        change = observer.change()
        return found | {name: change[name][0] for name in _embeddings(workload)}

    def compare(self, found: Arrays, expected: Arrays, workload: Workload, tolerances: Tolerances) -> list[Check]:
        """Hold the outputs to the tolerance of all logits, and the rows to that of an update."""
        return [
            Check(
                name=f"padding's {'outputs' if name == _OUTPUTS else 'embedding'}",
                error=relative(found[name], value),
                tolerance=tolerances.logits if name == _OUTPUTS else tolerances.update,
                detail="" if name == _OUTPUTS else name,
            )
            for name, value in expected.items()
        ]


def _embeddings(workload: Workload) -> list[str]:
    return [parameter.name for parameter in workload.parameters if parameter.kind == "embedding_weight"]


def _padded(workload: Workload, seed: int) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
    """Make one batch of random tokens, padded on the left with 0 as data sets are, and random labels."""
    random = np.random.default_rng(seed)
    size = workload.batch_size_in_proof
    vocabulary = min(parameter.shape[0] for parameter in workload.parameters if parameter.kind == "embedding_weight")
    inputs: list[NDArray[Any]] = []
    for spec in workload.inputs:
        shape = (size, *spec.shape)
        if spec.kind == "tokens":
            length = spec.shape[-1]
            lengths = np.resize([1, max(1, length // 2), length], size)
            tokens = random.integers(1, vocabulary, shape, dtype=np.int32)
            inputs.append(np.where(np.arange(length) < length - lengths[:, None], 0, tokens).astype(np.int32))
        else:
            inputs.append(random.random(shape, np.float32))
    labels = random.integers(workload.output_shape[-1], size=(size, *workload.label_shape), dtype=np.int64)
    return inputs, labels
