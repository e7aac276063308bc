"""What the standard of a check gives: the network of the user's own that others are held against."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from rosetta.environments.client import Arrays
from rosetta.environments.worker import WorkerFailure
from rosetta.environments.written import LazyArrays
from rosetta.errors import RosettaError
from rosetta.models.own_session import Asked, failed, opened, run
from rosetta.networks.notation import OwnNetwork
from rosetta.proof.own.judge import MODES, Standard, yardstick
from rosetta.proof.own.steps import EXPLAINED, KEPT, StandardSteps
from rosetta.proof.own.weights import factors_of, moved_apart
from rosetta_worker.messages import Described, ModuleCall

_NUDGED = 3
"""Further float32 runs of the standard, on inputs moved by a rounding: one run alone may be lucky."""
_MOST = 1e-3
"""The largest yardstick of outputs that still measures something."""
_COPIES = 24
"""How often float32 parameters are in memory at most: the gradients of all runs on both sides, some in float64."""

_TRAINED = 60
"""And so often more where both sides train: parameters after some steps, gradients, the optimisers' states."""


@dataclass(frozen=True)
class Seen:
    """All that is known of the standard."""

    described: Described
    own: Arrays
    """Its values as it was made."""
    arrays: Arrays
    """The values at which all are compared."""
    replaced: list[str]
    factors: Arrays
    standard: Standard
    drops: list[float]
    notes: list[str]
    steps: StandardSteps | None = None
    """Of its user's optimiser, where there is one."""


class Recording:
    """What the standard's sub-modules were given and gave, in float64: made when it is first asked for."""

    def __init__(self, network: OwnNetwork, seen: Seen, asked: Asked, file: Path):
        self.file = file
        self._network = network
        self._seen = seen
        self._asked = asked
        self._calls: list[ModuleCall] | None = None

    def made(self) -> LazyArrays:
        """Return its arrays; raise ``WorkerFailure`` where the standard can't be asked again."""
        if not self.file.exists():
            with opened(self._network, self._asked) as (client, _, _):
                client.to_float64()
                client.load_own_weights(self._seen.arrays)
                client.module_outputs(self.file)
        return LazyArrays(self.file)

    def of_training(self) -> tuple[list[ModuleCall], LazyArrays]:
        """Return the calls in training mode and their arrays; raise ``WorkerFailure`` as ``made`` does."""
        file = self.file.with_name("standard_training.npz")
        if self._calls is None:
            with opened(self._network, self._asked) as (client, _, _):
                if "training_modules" not in client.abilities():
                    raise WorkerFailure("The standard's framework doesn't record sub-modules in training mode.")
                client.to_float64()
                client.load_own_weights(self._seen.arrays)
                self._calls = client.training_modules(self._seen.factors, file)
        return self._calls, LazyArrays(file)


def observe_standard(network: OwnNetwork, asked: Asked) -> tuple[Seen, dict[str, str]]:
    """Run the standard in float32 and in float64; return what was seen, and its environment's packages.

    Raises ``RosettaError`` where nothing can be held against it: it fails, isn't finite, or rounding decides.
    """
    seed = asked.seed
    try:
        with opened(network, asked) as (client, packages, described):
            if "to_float64" not in client.abilities():
                raise RosettaError(
                    f"{network.text}: {network.contender.framework.title} doesn't compute a network of one's own in "
                    "float64, and so can't be the standard.",
                    "Name another one first.",
                )
            _check_memory(network, described, _COPIES + (_TRAINED if described.optimizer else 0))
            own = client.own_weights()
            arrays, replaced = moved_apart(described.tensors, own, seed)
            client.load_own_weights(arrays)
            factors = factors_of(client.own_outputs(), seed)
            if not factors:
                raise RosettaError(f"{network.text} gives no output of real numbers.", "Name a network that does.")
            float32 = [run(client, factors, nudge) for nudge in range(_NUDGED + 1)]
            if asked.targets and not (described.optimizer and described.loss):
                raise RosettaError(
                    f"{network.text} has no loss and make_optimizer beside it: targets are for these.",
                    "Write both into its file, or leave --target out.",
                )
            trains = described.optimizer and "optimizer_steps" in client.abilities()
            trained = [
                client.optimizer_steps(factors, asked.targets, loss=described.loss, kept=KEPT, gradients=0, nudge=nudge)
                for nudge in range(_NUDGED if trains else 0)
            ]
            client.to_float64()
            client.load_own_weights(arrays)
            exact = run(client, factors)
            steps = None
            if trains:
                exactly = client.optimizer_steps(
                    factors, asked.targets, loss=described.loss, kept=KEPT, gradients=EXPLAINED
                )
                start = {t.path: arrays[t.path] for t in described.tensors if t.role == "parameter" and t.trainable}
                steps = StandardSteps(described.loss, exactly, trained, start)
                _check_finite(network, exactly.parameters[max(KEPT)], f"parameter after {max(KEPT)} optimiser steps")
    except WorkerFailure as failure:
        raise failed(network, failure) from failure
    for mode in MODES:
        _check_finite(network, exact[mode].outputs, f"output in {mode} mode")
        _check_finite(network, exact[mode].gradients, f"gradient in {mode} mode")
    notes = []
    if any(array.dtype != np.float64 for name, array in exact["evaluation"].outputs.items() if name in factors):
        notes.append("The standard gives less than float64 when it should compute in it: what it casts isn't exact.")
    before = {t.path: arrays[t.path] for t in described.tensors if t.role == "statistic"}
    standard = Standard(exact, float32, before)
    _check_conditioned(network, standard)
    drops = exact["training"].drops
    return Seen(described, own, arrays, replaced, factors, standard, drops, notes, steps), packages


def _check_finite(network: OwnNetwork, arrays: Mapping[str, NDArray[Any]], what: str) -> None:
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise RosettaError(
                f"{network.text}: its {what}, {name}, isn't finite (NaN or infinite): nothing can be held against it.",
                "Look for a division by zero or a logarithm of zero, or give inputs of the kind that it is made for.",
            )


def _check_conditioned(network: OwnNetwork, standard: Standard) -> None:
    """Raise ``RosettaError`` where the standard's own float32 runs differ so much that anything would be the same."""
    for mode in MODES:
        if (size := yardstick(standard, mode)) > _MOST:
            raise RosettaError(
                f"{network.text}: in {mode} mode its own float32 outputs are off by {size:.1e} from those in float64: "
                "it is random there by something else than dropout, or rounding decides what it gives.",
                "Take out what is random; or give it inputs of the kind that it is made for.",
            )


def _check_memory(network: OwnNetwork, described: Described, copies: int) -> None:
    """Raise ``RosettaError`` where a comparison would take more memory than is free."""
    size = sum(4 * int(np.prod(t.shape)) for t in described.tensors)
    free = psutil.virtual_memory().available
    if copies * size > free:
        raise RosettaError(
            f"{network.text} has {size / 2**30:.1f} GiB of parameters, of which a check needs up to {copies} copies; "
            f"{free / 2**30:.1f} GiB are free.",
            "Make it smaller: fewer layers or channels show the same.",
        )
