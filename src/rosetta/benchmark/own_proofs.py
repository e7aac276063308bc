"""Proves networks of one's own as ``rosetta check`` does: each contender's is held against the standard."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from rosetta.benchmark.context import Arm
from rosetta.benchmark.own import PreparedOwn
from rosetta.contenders.contender import parse_contender
from rosetta.errors import RosettaError
from rosetta.models.own_port import checked
from rosetta.models.own_session import Carried
from rosetta.models.own_standard import Recording, Seen, observe_standard
from rosetta.proof.own.equivalence import equivalence_of

_Found = dict[str, Any] | str
"""A proof's fields, or why there is none."""


class OwnProofs:
    """Holds what the standards gave in this session."""

    def __init__(self, say: Callable[[str], None]):
        """``say`` is told what a proof noticed."""
        self._say = say
        self._seen: dict[str, tuple[Seen, Recording] | RosettaError] = {}

    def made(self, prepared: PreparedOwn, arms: Iterable[Arm]) -> Iterator[tuple[Arm, _Found]]:
        """Prove one arm after another, each with all threads; a worker that was proven can then be timed."""
        for arm in arms:
            start = time.perf_counter()
            try:
                seen, recording = self._standard(prepared)
            except RosettaError as error:
                yield arm, f"The standard, {prepared.workload.raced.standard}: {error.cause} {error.remedy}".strip()
                continue
            kept: list[Carried] = []
            asked = dataclasses.replace(prepared.asked, carried=kept.append)
            try:
                network = prepared.network(arm.contender)
                told, _ = checked(network, seen, asked, None, recording)
            except RosettaError as error:
                yield arm, f"{error.cause} {error.remedy}".strip()
                continue
            if told.failure:
                yield arm, f"{told.failure} {told.remedy}".strip()
                continue
            proof = equivalence_of(told, prepared.workload.trains)
            if proof.passed:
                (mine,) = kept
                assert network.file is not None
                outputs = seen.standard.exact["evaluation"].outputs
                prepared.give(arm.worker, network.file, mine, outputs, proof.logits.tolerance)
            yield (
                arm,
                {
                    "passed": proof.passed,
                    "equivalence": proof.model_dump(),
                    "seconds": time.perf_counter() - start,
                },
            )

    def _standard(self, prepared: PreparedOwn) -> tuple[Seen, Recording]:
        """Return what the standard gave; raise ``RosettaError``, every time, where nothing can be held against it."""
        name = prepared.workload.name
        if name not in self._seen:
            try:
                self._seen[name] = self._observed(prepared)
            except RosettaError as error:
                self._seen[name] = error
        found = self._seen[name]
        if isinstance(found, RosettaError):
            raise found
        return found

    def _observed(self, prepared: PreparedOwn) -> tuple[Seen, Recording]:
        raced, own = prepared.workload.raced, prepared.own
        contender = parse_contender(raced.standard, prepared.known)
        network = prepared.network(
            dataclasses.replace(contender, extra=tuple(sorted(raced.extra(contender.framework.name))))
        )
        seen, _ = observe_standard(network, prepared.asked)
        for note in seen.notes:
            self._say(note)
        parameters = sum(int(np.prod(t.shape)) for t in seen.described.tensors if t.role == "parameter")
        outputs = seen.standard.exact["evaluation"].outputs
        own.check_standard(parameters, {name: array.shape for name, array in outputs.items()}, raced.batch)
        return seen, Recording(
            network, seen, prepared.asked, prepared.folder / f"{prepared.workload.name}-standard.npz"
        )
