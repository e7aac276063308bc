"""The proof that a contender computes the same network as the float64 reference."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.contenders import Tolerances
from rosetta.result import DropoutCheck, Equivalence, TensorError
from rosetta.workers import Worker
from rosetta.workloads.spec import Workload

UPDATE_STEPS = 10
_DROPOUT_DRAWS = 8
_CANDIDATES = 5
"""Times as many samples as the proof trains on are offered to the reference, which takes the steadiest."""
_DROPOUT_SIGMAS = 6.0
_TINY = 1e-30

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Observation:
    """What a worker computed from the canonical parameters on the first batches; logits alone if it doesn't train."""

    logits: NDArray[Any]
    loss: float | None = None
    gradients: Arrays = field(default_factory=dict)
    update: Arrays = field(default_factory=dict)
    """Every parameter's change after ``UPDATE_STEPS`` optimiser steps, dropout off."""
    dropout_distances: Arrays = field(default_factory=dict)
    """By weight: how far its change in one step with dropout is from that without, relative L2, for several draws."""
    deviation: float | None = None
    """For a reference that deviates: its worst parameter's change, relative to the canonical reference's."""


@dataclass(frozen=True)
class Material:
    """What a proof is made with: the same for every contender of a workload."""

    workload: Workload
    data: Mapping[str, Any]
    """Paths of the arrays and the batches' order, as a worker wants them."""
    parameters: Arrays
    folder: Path
    """A scratch folder for the arrays that travel between host and worker."""
    seed: int
    timeout: float


class _Examination:
    """Asks a worker from the canonical parameters on; its files in the material's folder are gone afterwards."""

    def __init__(self, worker: Worker, material: Material):
        self._worker = worker
        self._material = material
        self._files = ExitStack()
        self.initial = self._file("initial", "npz")
        self.answer = self._file("answer", "npz")
        self.logits = self._file("logits", "npy")

    def __enter__(self) -> "_Examination":
        self._material.folder.mkdir(parents=True, exist_ok=True)
        np.savez(self.initial, allow_pickle=False, **self._material.parameters)
        return self

    def __exit__(self, *error: object) -> None:
        self._files.close()

    def _file(self, name: str, suffix: str) -> Path:
        file = self._material.folder / f"{name}-{self._worker.pid}.{suffix}"
        self._files.callback(file.unlink, missing_ok=True)
        return file

    def ask(self, verb: str, **message: Any) -> dict[str, Any]:
        """Send one message; return the reply."""
        return self._worker.ask(verb, self._material.timeout, **message)

    def open(self, dropout: bool, dtype: str = "float32") -> None:
        """Build the network anew, with the canonical parameters."""
        workload = self._material.workload.to_worker(dtype)
        self.ask("open", workload=workload, data=dict(self._material.data), dropout=dropout, seed=self._material.seed)
        self.load()

    def load(self) -> None:
        """Begin again from the canonical parameters."""
        self.ask("load_parameters", file=str(self.initial))

    def change(self) -> Arrays:
        """Return how far each parameter is from the canonical one."""
        self.ask("parameters", file=str(self.answer))
        after = _load(self.answer)
        return {name: after[name].astype(np.float64) - value for name, value in self._material.parameters.items()}

    def update(self) -> Arrays:
        """Return the change by the proof's training steps."""
        self.ask("train", first=0, steps=UPDATE_STEPS)
        return self.change()

    def step(self) -> Arrays:
        """Return the change by one training step."""
        self.load()
        self.ask("train", first=0, steps=1)
        return self.change()


def observe(
    worker: Worker, material: Material, precision: str = "float32", update: Arrays | None = None
) -> Observation:
    """Have a worker, which computes in this precision, do everything that the proof compares.

    The update is only asked for where it isn't given. A worker with another precision than float32 is timed in that,
    and so proven in it.
    """
    workload = material.workload
    dtype = workload.proven_in if precision == "float32" else "float32"
    with _Examination(worker, material) as examination:
        if not workload.trains:
            examination.open(dropout=False)
            examination.ask("predict", first=0, file=str(examination.logits))
            return Observation(np.load(examination.logits, allow_pickle=False))
        examination.open(dropout=False, dtype=dtype)
        if update is None:
            update = examination.update()
        if dtype != "float32":
            examination.open(dropout=False)
        plain = examination.step()
        examination.open(dropout=True)
        examination.ask("predict", first=0, file=str(examination.logits))
        logits = np.load(examination.logits, allow_pickle=False)
        loss = examination.ask("loss_and_gradients", first=0, file=str(examination.answer))["loss"]
        gradients = _load(examination.answer)
        draws = [_distances(examination.step(), plain) for _ in range(_DROPOUT_DRAWS)]
    distances = {name: np.array([draw[name] for draw in draws]) for name in draws[0]}
    return Observation(logits, loss, gradients, update, distances)


def observe_update(worker: Worker, material: Material) -> Arrays:
    """Have the reference compute the update alone."""
    with _Examination(worker, material) as examination:
        examination.open(dropout=False)
        return examination.update()


def steady_material(worker: Worker, material: Material, name: str) -> tuple[Material, Arrays]:
    """Return the material with batches whose gradients don't hang on rounding, chosen by the reference, and its update.

    ``name`` names the file of their rows. Of the millions of ReLUs and maxima of a batch, some lie so near their kink
    that float32 rounding decides the subgradient: one of them moves a convolution's gradient by about 1e-4 to 1e-3,
    ten steps amplify that to 1e-2, and none of it is anybody's fault (docs/proof.md).
    """
    rows = material.folder / f"{name}.npy"
    with _Examination(worker, material) as examination:
        examination.open(dropout=False)
        candidates = _CANDIDATES * UPDATE_STEPS * material.workload.batch_size
        examination.ask("steady_batches", candidates=candidates, steps=UPDATE_STEPS, file=str(rows))
        update = examination.change()  # to choose a step's batch it has trained on those before
    return dataclasses.replace(material, data=dict(material.data) | {"order": str(rows)}), update


def reference(
    start: Callable[[], Worker],
    material: Material,
    sources: list[Path],
    cache: Path,
    variant: str = "",
    canonical: tuple[Material, Observation] | None = None,
) -> tuple[Material, Observation]:
    """Return the proof's material and the reference's observation, computed once, cached by all they depend on.

    ``start`` starts the reference's worker. For one that deviates on purpose give the ``variant`` that it runs and the
    ``canonical`` reference, against which the deviation's size is measured.
    """
    cached = cache / f"{material.workload.module}-{_digest(material, sources, variant)}.npz"
    if cached.exists():
        packed = _load(cached)
        rows = material.folder / f"{cached.stem}.npy"
        np.save(rows, packed.pop("order"))
        return dataclasses.replace(material, data=dict(material.data) | {"order": str(rows)}), _unpack(packed)
    worker = start()
    try:
        steady, update = material, None
        if material.workload.trains:
            steady, update = steady_material(worker, material, cached.stem)
        observation = observe(worker, steady, update=update)
        if canonical is not None:
            size = _worst(observe_update(worker, canonical[0]), canonical[1].update, np.inf).error
            observation = dataclasses.replace(observation, deviation=size)
    finally:
        worker.close()
    cache.mkdir(parents=True, exist_ok=True)
    partial = cached.with_suffix(f".{os.getpid()}.npz")
    order = np.load(steady.data["order"], allow_pickle=False)
    np.savez(partial, allow_pickle=False, order=order, **_pack(observation))
    os.replace(partial, cached)
    return steady, observation


def compare(found: Observation, expected: Observation, tolerances: Tolerances, deviation: str = "") -> Equivalence:
    """Hold an observation against the reference's; ``deviation`` says in words what that reference does differently."""
    logits = _relative("logits", found.logits, expected.logits, tolerances.logits)
    if not expected.update:
        return Equivalence(passed=_holds(logits), logits=logits)
    wanted_loss = np.asarray(expected.loss)
    got_loss = np.asarray(np.nan if found.loss is None else found.loss)
    loss = _relative("loss", got_loss, wanted_loss, tolerances.loss)
    gradients = _worst(found.gradients, expected.gradients, tolerances.gradients)
    update = _worst(found.update, expected.update, tolerances.update)
    dropout = _compare_dropout(found.dropout_distances, expected.dropout_distances, tolerances)
    checks = (logits, loss, gradients, update)
    passed = all(map(_holds, checks))
    return Equivalence(
        passed=passed and (dropout is None or dropout.passed),
        logits=logits,
        loss=loss,
        gradients=gradients,
        update=update,
        dropout=dropout,
        deviation=deviation,
        deviation_size=expected.deviation,
    )


def _holds(check: TensorError) -> bool:
    return check.error is not None and check.error <= check.tolerance


def _relative(name: str, found: NDArray[Any], expected: NDArray[Any], tolerance: float) -> TensorError:
    """‖found − expected‖₂ / ‖expected‖₂, in float64; absolute where the expected is all zero."""
    if found.shape != expected.shape:
        return TensorError(error=None, tolerance=tolerance, tensor=f"{name} has shape {found.shape}")
    difference = float(np.linalg.norm(found.astype(np.float64) - expected))
    size = float(np.linalg.norm(expected))
    error = difference / size if size else difference
    return TensorError(error=error if np.isfinite(error) else None, tolerance=tolerance, tensor=name)


def _worst(found: Arrays, expected: Arrays, tolerance: float) -> TensorError:
    if found.keys() != expected.keys():
        odd = sorted(found.keys() ^ expected.keys())[0]
        return TensorError(error=None, tolerance=tolerance, tensor=f"{odd} is missing or unknown")
    errors = [_relative(name, found[name], expected[name], tolerance) for name in expected]
    return max(errors, key=lambda e: np.inf if e.error is None else e.error)


def _distances(change: Arrays, plain: Arrays) -> dict[str, float]:
    """How far each weight's change is from the one without dropout, ‖change − plain‖₂ / ‖plain‖₂."""
    return {
        name: float(np.linalg.norm(change[name] - value) / max(float(np.linalg.norm(value)), _TINY))
        for name, value in plain.items()
        if value.ndim > 1
    }


def _compare_dropout(found: Arrays, expected: Arrays, tolerances: Tolerances) -> DropoutCheck | None:
    """Compare mean distances: they grow with the dropout rates around a weight and scatter little between draws.

    They may differ by six standard errors, and by what gradients as wrong as the tolerance allows add to them.
    """
    if not any(np.any(draws) for draws in expected.values()) and not any(np.any(draws) for draws in found.values()):
        return None
    checks = []
    for name, draws in expected.items():
        got = found.get(name, np.full_like(draws, np.nan))
        mean, distance = float(np.mean(draws)), float(np.mean(got))
        rounding = float(np.hypot(mean, tolerances.gradients)) - mean
        sd = float(np.sqrt((np.var(got, ddof=1) + np.var(draws, ddof=1)) / len(draws)))
        sigmas = (abs(distance - mean) - rounding) / max(sd, _TINY) if np.isfinite(distance) else np.inf
        finite = distance if np.isfinite(distance) else None
        sd = sd if np.isfinite(sd) else 0.0
        check = DropoutCheck(tensor=name, distance=finite, expected=mean, sd=sd, passed=sigmas <= _DROPOUT_SIGMAS)
        checks.append((sigmas, check))
    return max(checks, key=lambda pair: pair[0])[1]


def _digest(material: Material, sources: list[Path], variant: str) -> str:
    digest = hashlib.sha256(json.dumps([material.workload.to_worker(), material.seed, variant]).encode())
    digest.update(f"{UPDATE_STEPS} {_DROPOUT_DRAWS} {_CANDIDATES}".encode())
    for source in sources:
        digest.update(source.read_bytes())
    for value in material.parameters.values():
        digest.update(value.tobytes())
    digest.update(str(material.data["digest"]).encode())
    return digest.hexdigest()[:24]


def _load(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


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
