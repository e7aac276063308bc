"""Predictions at other parameters: where no bias is zero and no running statistics are those of the beginning.

From the canonical parameters a network that forgets a bias or the running mean predicts as one that doesn't.
"""

import numpy as np
from numpy.typing import NDArray

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.client import Arrays, Client
from rosetta.proof.errors import relative
from rosetta.proof.further.check import Moment
from rosetta.proof.observer import Observer
from rosetta.record.result import Check
from rosetta.workloads.layers import Parameter
from rosetta.workloads.prepared import PreparedWorkload
from rosetta.workloads.spec import Workload


class Elsewhere:
    """One batch of random inputs, predicted at parameters that are all random."""

    name = "prediction elsewhere"
    moment: Moment = "timed"
    unseen = ""
    version = 1

    def applies(self, workload: Workload) -> bool:
        """Of networks that begin with zeros; what is never trained has random parameters anyway."""
        return workload.trains

    def observe(self, observer: Observer) -> Arrays:
        """Return the logits, (batch, classes)."""
        return predictions(observer.client, observer.prepared)

    def compare(self, found: Arrays, expected: Arrays, workload: Workload, tolerances: Tolerances) -> list[Check]:
        """Hold the logits to the tolerance of all logits."""
        return [
            Check(
                name=self.name,
                error=relative(found["logits"], expected["logits"]),
                tolerance=tolerances.logits,
                detail="logits",
            )
        ]


def predictions(client: Client, prepared: PreparedWorkload) -> Arrays:
    """Load the parameters, whatever there were, and predict; the workload is open."""
    workload, random = prepared.workload, np.random.default_rng(prepared.seed)
    inputs: list[NDArray[np.float32] | NDArray[np.int32]] = []
    vocabulary = min((p.shape[0] for p in workload.parameters if p.kind == "embedding_weight"), default=0)
    for given in workload.inputs:
        shape = (workload.batch_size, *given.shape)
        if given.kind == "tokens":
            inputs.append(random.integers(vocabulary, size=shape, dtype=np.int32))
        else:
            inputs.append(random.random(shape, np.float32))
    client.load_parameters(random_parameters(prepared, random))
    return {"logits": client.outputs(inputs)}


def random_parameters(prepared: PreparedWorkload, random: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Draw parameters of which none are all alike, from the canonical ones."""
    return {p.name: _drawn(random, p, prepared.parameters[p.name]) for p in prepared.workload.parameters}


def _drawn(random: np.random.Generator, parameter: Parameter, canonical: NDArray[np.float32]) -> NDArray[np.float32]:
    """Draw what is the same everywhere at first; weights are random as they are."""
    if parameter.kind in ("norm_variance", "norm_scale"):
        return random.uniform(0.5, 1.5, canonical.shape).astype(np.float32)
    if canonical.ndim == 1:
        return (canonical + random.uniform(-0.2, 0.2, canonical.shape)).astype(np.float32)
    return canonical
