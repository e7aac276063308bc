"""What a contender is held against: the reference, or the reference's variant that does what the contender declares."""

import dataclasses
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rosetta.contenders.contender import Contender
from rosetta.contenders.manifest import Framework
from rosetta.environments.client import Client
from rosetta.proof.observe import Observation
from rosetta.proof.reference import reference
from rosetta.workloads.prepared import PreparedWorkload
from rosetta.workloads.spec import Workload


@dataclass(frozen=True)
class Standard:
    """What a contender is held against: by default the canonical reference, on the data as they are."""

    variants: tuple[str, ...] = ()
    """The reference's variants that do what the contender declares to do differently."""
    without_ties: bool = False
    """Whether the images are changed so that no two of their patches are equal."""
    replicas: int = 1
    """How many parts of a batch are normalised each by itself, where the variants say so."""
    proof_batch: int = 0
    """Instead of the workload's, where that is too small to be shared by the replicas; 0: the workload's."""

    @property
    def canonical(self) -> "Standard":
        """The reference without variants, on batches of the same size, against which a deviation's size is measured."""
        return Standard(proof_batch=self.proof_batch)


def standard_of(workload: Workload, contender: Contender) -> Standard:
    """Return what a contender is held against on a workload."""
    deviation = contender.deviation(workload.module)
    variants = tuple(variant for _, variants in _differences(workload, contender) for variant in variants)
    parts = contender.replicas if _normalises_parts(workload, contender) else 1
    proof_batch = math.lcm(workload.proof_batch, contender.replicas)
    larger = proof_batch if workload.proof_batch not in (0, proof_batch) else 0
    return Standard(variants, deviation is not None and deviation.without_ties, parts, larger)


def deviations_in_words(workload: Workload, contender: Contender) -> str:
    """Say what a contender declares to do differently; an empty text where it does all as the workload says."""
    return " ".join(sentence for sentence, _ in _differences(workload, contender))


def reference_for(
    standard: Standard,
    prepared: PreparedWorkload,
    numpy: Framework,
    start: Callable[[Contender, str], Client],
    cache: Path,
    canonical: Callable[[], tuple[PreparedWorkload, Observation]],
    say: Callable[[str], None] = warnings.warn,
) -> tuple[PreparedWorkload, Observation]:
    """Return the workload with the proof's batches, and the observation that a contender is held against.

    ``prepared`` is without ties where the standard wants that. ``start(contender, name)`` starts a worker of the
    reference ``numpy`` and imports it; ``canonical`` returns what the canonical standard gives; ``say`` is told where
    what was kept in the ``cache`` is damaged, and computed anew.
    """
    if standard.proof_batch:
        workload = dataclasses.replace(prepared.workload, proof_batch=standard.proof_batch)
        prepared = dataclasses.replace(prepared, workload=workload)
    contender = Contender(numpy, variants=standard.variants, replicas=standard.replicas)
    variant = "+".join(standard.variants) + (f"@{standard.replicas}" if standard.replicas > 1 else "")
    name = f"reference {variant} {standard.proof_batch or ''}".strip()
    sources = sorted(numpy.folder.glob("*.py"))
    return reference(lambda: start(contender, name), prepared, sources, cache, variant, canonical, say)


def _differences(workload: Workload, contender: Contender) -> list[tuple[str, list[str]]]:
    """Return what the contender does differently, in words and as the reference's variants that do the same."""
    deviation = contender.deviation(workload.module)
    found = [(deviation.description, deviation.reference)] if deviation else []
    replication = contender.replication
    if replication and _normalises_parts(workload, contender):
        found.append((replication.statistics, replication.reference))
    return found


def _normalises_parts(workload: Workload, contender: Contender) -> bool:
    """Whether each replica normalises its part of a batch by that part's own statistics."""
    replication = contender.replication
    several = contender.replicas > 1 and workload.normalises
    return several and replication is not None and bool(replication.reference)
