"""The float64 reference's side of a proof: its batches and its observation, computed once, cached by content."""

import dataclasses
import hashlib
import json
import os
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.environments.client import Arrays, Client
from rosetta.files import open_regular, replacing
from rosetta.proof.errors import worst
from rosetta.proof.further import CHECKS
from rosetta.proof.observe import (
    CANDIDATE_BATCHES,
    CANDIDATES,
    DROPOUT_DRAWS,
    Observation,
    observe,
    observe_update,
    with_selected_batches,
)
from rosetta.proof.observer import UPDATE_STEPS
from rosetta.workloads.prepared import PreparedWorkload

_DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy raises for a file that is cut off, changed or something else."""


def reference(
    start: Callable[[], Client],
    prepared: PreparedWorkload,
    sources: list[Path],
    cache: Path,
    variant: str = "",
    canonical: Callable[[], tuple[PreparedWorkload, Observation]] | None = None,
    say: Callable[[str], None] = warnings.warn,
) -> tuple[PreparedWorkload, Observation]:
    """Return the workload with the proof's batches, and the reference's observation; cached by all they depend on.

    ``start`` starts the reference's worker. For one that deviates on purpose give the ``variant`` that it runs;
    ``canonical``, called at the end, returns the reference against which the deviation's size is measured.
    What is kept and can't be read is computed anew, and ``say`` is told.
    """
    cached = cache / f"{prepared.workload.module}-{_digest(prepared, sources, variant)}.npz"
    if os.path.lexists(cached):
        try:
            order, observation = _read(cached)
        except _DAMAGED as fault:
            say(f"{cached} is damaged ({fault}); the reference is computed anew.")
        else:
            rows = prepared.folder / f"{cached.stem}.npy"
            np.save(rows, order)
            return dataclasses.replace(prepared, data=dict(prepared.data) | {"order": str(rows)}), observation
    client = start()
    try:
        selected, update = prepared, None
        if prepared.workload.trains:
            selected, update = with_selected_batches(client, prepared, cached.stem)
        observation = observe(client, selected, update=update, of_reference=True)
        if variant and canonical is not None:
            selected_there, expected = canonical()
            size = worst(observe_update(client, selected_there), expected.update, np.inf).error
            observation = dataclasses.replace(observation, deviation=size)
    finally:
        client.worker.close()
    cache.mkdir(parents=True, exist_ok=True)
    order = np.load(selected.data["order"], allow_pickle=False)
    with replacing(cached) as partial:
        np.savez(partial, allow_pickle=False, order=order, **_pack(observation))
    return selected, observation


def _read(cached: Path) -> tuple[NDArray[Any], Observation]:
    """Return the rows of the proof's batches and the observation that are kept in a file, whose sums are checked."""
    with os.fdopen(open_regular(cached), "rb") as file, np.load(file, allow_pickle=False) as arrays:
        packed = dict(arrays)
    return packed.pop("order"), _unpack(packed)


def _digest(prepared: PreparedWorkload, sources: list[Path], variant: str) -> str:
    workload = prepared.workload
    digest = hashlib.sha256(
        json.dumps([workload.to_worker(), workload.proof_batch, workload.late_steps, prepared.seed, variant]).encode()
    )
    digest.update(f"{UPDATE_STEPS} {DROPOUT_DRAWS} {CANDIDATES} {CANDIDATE_BATCHES}".encode())
    digest.update(repr([(check.name, check.version) for check in CHECKS]).encode())
    for source in sources:
        digest.update(source.read_bytes())
    for value in prepared.parameters.values():
        digest.update(value.tobytes())
    digest.update(str(prepared.data["digest"]).encode())
    return digest.hexdigest()[:24]


def _pack(observation: Observation) -> dict[str, NDArray[Any]]:
    packed = {"logits": observation.logits}
    if observation.loss is not None:
        packed["loss"] = np.asarray(observation.loss)
    if observation.deviation is not None:
        packed["deviation"] = np.asarray(observation.deviation)
    for prefix, arrays in (
        ("gradients", observation.gradients),
        ("update", observation.update),
        ("dropout", observation.dropout_distances),
        *((f"further/{name}", arrays) for name, arrays in observation.further.items()),
    ):
        packed |= {f"{prefix}/{name}": value for name, value in arrays.items()}
    return packed


def _unpack(packed: dict[str, NDArray[Any]]) -> Observation:
    def part(prefix: str) -> Arrays:
        return {
            name.removeprefix(f"{prefix}/"): value for name, value in packed.items() if name.startswith(f"{prefix}/")
        }

    return Observation(
        logits=packed["logits"],
        loss=float(packed["loss"]) if "loss" in packed else None,
        gradients=part("gradients"),
        update=part("update"),
        dropout_distances=part("dropout"),
        further={check.name: part(f"further/{check.name}") for check in CHECKS},
        deviation=float(packed["deviation"]) if "deviation" in packed else None,
    )
