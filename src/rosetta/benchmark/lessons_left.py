"""About how long lessons go on: what is left of the work, at the pace of what was done."""

import math
from collections.abc import Sequence

from rosetta.datasets import datasets
from rosetta.lessons.parts import Differentiating, Installing, Part, Race, Training
from rosetta.workloads import find_workload
from rosetta.workloads.spec import Workload

# Seconds on two cores of an AMD EPYC, as the parts' proportions; the machine's own pace comes from what it has done.
_SIDE, _SIDE_PER_GFLOP = 20.0, 2.0
"""A side of a run in ``quick``: its proof, four launches; and more for each 1e9 operations of a training step."""
_PROOF, _PROOF_PER_GFLOP = 5.0, 0.8
_TRAINING, _TRAINING_PER_GFLOP = 5.0, 0.04
_INSTALLATION = 40.0
_GRADIENTS = 15.0


def minutes_left(done: Sequence[Part], waiting: Sequence[Part], seconds: float) -> int | None:
    """Return how long the waiting parts take if those done took so many seconds; None where nothing was done."""
    work = sum(map(_work, done))
    return math.ceil(seconds / work * sum(map(_work, waiting)) / 60) if work else None


def _work(part: Part) -> float:
    match part:
        case Race(kind="run"):
            return len(part.sides) * (_SIDE + _SIDE_PER_GFLOP * _gflop_per_step(find_workload(part.workload)))
        case Race():
            return len(part.sides) * (_PROOF + _PROOF_PER_GFLOP * _gflop_per_step(find_workload(part.workload)))
        case Training(workload=workload):
            known = datasets()[workload.dataset]
            samples = workload.samples or (known.editions or (known.generated,))[0].train_size
            return _TRAINING + _TRAINING_PER_GFLOP * part.epochs * samples * workload.flops_per_sample / 1e9
        case Installing():
            return _INSTALLATION
        case Differentiating():
            return _GRADIENTS


def _gflop_per_step(workload: Workload) -> float:
    return workload.flops_per_sample * workload.batch_size / 1e9
