"""A network of the user's own that is timed: what a framework's class for it does, and its batches.

A folder whose framework times such networks has a module ``own_trainer`` with a class ``OwnTrainer``, whose methods are
those of the class below. What is timed is what the framework's users write around their network.
"""

from __future__ import annotations

import importlib
import os
from functools import partial
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from rosetta_worker.own_network import Maker, OwnCodeError, Training, beside, load_named
from rosetta_worker.trainer import Inputs, load_framework


class OwnTrainer:
    """The methods of a network that is timed. Arrays are NumPy, float32 or int64, images channels first.

    It also has ``outputs`` and ``load_own_weights`` of ``OwnNetwork``: by them it shows that it is what was proven.
    """

    def __init__(
        self,
        make: Maker,
        training: Optional[Callable[[], Training]],
        example: Inputs,
        device: str,
        seed: int,
        channels_last: bool,
    ):
        """Make the network in float32, built for such inputs; ``channels_last``: whether it takes images so.

        ``training`` returns the user's ``loss`` and ``make_optimizer`` once the network is made; None: it is never
        trained.
        """
        raise NotImplementedError

    def load_parameters(self, arrays: Dict[str, np.ndarray]) -> None:
        """Set parameters and statistics by the paths of ``OwnNetwork``, and make the optimiser anew."""
        raise NotImplementedError

    def prepare(self, inputs: Inputs, targets: Inputs) -> Any:
        """Bring batches, each array (steps, batch, …), into the framework's host layout, before the clock starts."""
        raise NotImplementedError

    def train(self, batches: Any) -> np.ndarray:
        """Train on prepared batches by the user's loss and optimiser; return losses when the device has finished."""
        raise NotImplementedError

    def prepare_inputs(self, inputs: Inputs) -> Any:
        """Bring inputs, each (steps, batch, …), into the framework's host layout."""
        raise NotImplementedError

    def infer(self, batches: Any) -> None:
        """Predict on prepared inputs, and return when all outputs are in the host's memory."""
        raise NotImplementedError

    def reseed(self, seed: int) -> None:
        """Start dropout's random numbers anew."""
        raise NotImplementedError


class OwnBatches:
    """The batches of a network of the user's own: of each input and target one file, (samples, …), and their order."""

    def __init__(self, data: Dict[str, Any], workload: Dict[str, Any]):
        self._inputs, self._targets = ([_mapped(path) for path in data[kind]] for kind in ("inputs", "targets"))
        self._order = _mapped(data["order"])
        self.batch_size = workload["batch_size"]

    @property
    def example(self) -> Inputs:
        """The first batch of the files, whatever the order: those by which the network was proven."""
        return tuple(np.array(array[: self.batch_size]) for array in self._inputs)

    def training(self, first: int, steps: int) -> Tuple[Inputs, Inputs]:
        """Return inputs and targets, each (steps, batch, …); the order repeats."""
        positions = np.arange(first * self.batch_size, (first + steps) * self.batch_size) % len(self._order)
        rows, size = self._order[positions], (steps, self.batch_size)
        inputs, targets = (
            tuple(array[rows].reshape(size + array.shape[1:]) for array in arrays)
            for arrays in (self._inputs, self._targets)
        )
        return inputs, targets


def open_own_trainer(folder: str, workload: Dict[str, Any], batches: OwnBatches, device: str, seed: int) -> Any:
    """Make the framework's ``OwnTrainer`` of the network that a workload names."""
    module = importlib.import_module(load_framework(folder) + ".own_trainer")
    file, name = workload["own"]["file"], workload["own"]["maker"]
    make = Maker(partial(load_named, workload["own"]["folder"], file, None, name), name, {})
    training = partial(_training, file) if workload["trained"] else None
    return module.OwnTrainer(make, training, batches.example, device, seed, workload["channels_last"])


def _training(file: str) -> Training:
    found = beside(file, None)
    for name in ("loss", "make_optimizer"):
        if getattr(found, name) is None:
            where = os.path.basename(file)
            raise OwnCodeError("{} has no function {}; training is timed, for the standard has it".format(where, name))
    return found


def _mapped(path: str) -> Any:
    return np.load(path, mmap_mode="r", allow_pickle=False)
