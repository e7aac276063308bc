"""The float64 reference's side of a proof: its batches and its observation, computed once, cached by content."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.equivalence import worst
from rosetta.examination import (
    CANDIDATE_BATCHES,
    CANDIDATES,
    DROPOUT_DRAWS,
    UPDATE_STEPS,
    Arrays,
    Material,
    Observation,
    load,
    observe,
    observe_update,
    steady_material,
)
from rosetta.workers import Worker


def reference(
    start: Callable[[], Worker],
    material: Material,
    sources: list[Path],
    cache: Path,
    variant: str = "",
    canonical: Callable[[], tuple[Material, Observation]] | None = None,
) -> tuple[Material, Observation]:
    """Return the proof's material and the reference's observation, computed once, cached by all they depend on.

    ``start`` starts the reference's worker. For one that deviates on purpose give the ``variant`` that it runs;
    ``canonical``, called at the end, returns the reference against which the deviation's size is measured.
    """
    cached = cache / f"{material.workload.module}-{_digest(material, sources, variant)}.npz"
    if cached.exists():
        packed = load(cached)
        rows = material.folder / f"{cached.stem}.npy"
        np.save(rows, packed.pop("order"))
        return dataclasses.replace(material, data=dict(material.data) | {"order": str(rows)}), _unpack(packed)
    worker = start()
    try:
        steady, update = material, None
        if material.workload.trains:
            steady, update = steady_material(worker, material, cached.stem)
        observation = observe(worker, steady, update=update)
        if variant and canonical is not None:
            steady_there, expected = canonical()
            size = worst(observe_update(worker, steady_there), expected.update, np.inf).error
            observation = dataclasses.replace(observation, deviation=size)
    finally:
        worker.close()
    cache.mkdir(parents=True, exist_ok=True)
    partial = cached.with_suffix(f".{os.getpid()}.npz")
    order = np.load(steady.data["order"], allow_pickle=False)
    np.savez(partial, allow_pickle=False, order=order, **_pack(observation))
    os.replace(partial, cached)
    return steady, observation


def _digest(material: Material, sources: list[Path], variant: str) -> str:
    digest = hashlib.sha256(
        json.dumps([material.workload.to_worker(), material.workload.proof_batch, material.seed, variant]).encode()
    )
    digest.update(f"{UPDATE_STEPS} {DROPOUT_DRAWS} {CANDIDATES} {CANDIDATE_BATCHES}".encode())
    for source in sources:
        digest.update(source.read_bytes())
    for value in material.parameters.values():
        digest.update(value.tobytes())
    digest.update(str(material.data["digest"]).encode())
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
    ):
        packed |= {f"{prefix}/{name}": value for name, value in arrays.items()}
    return packed


def _unpack(packed: dict[str, NDArray[Any]]) -> Observation:
    def part(prefix: str) -> Arrays:
        return {name.partition("/")[2]: value for name, value in packed.items() if name.startswith(f"{prefix}/")}

    return Observation(
        logits=packed["logits"],
        loss=float(packed["loss"]) if "loss" in packed else None,
        gradients=part("gradients"),
        update=part("update"),
        dropout_distances=part("dropout"),
        deviation=float(packed["deviation"]) if "deviation" in packed else None,
    )
