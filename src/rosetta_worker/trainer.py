"""The few verbs that every framework implements, and how a worker finds them.

A framework's folder has a ``trainer.py`` with a class ``Trainer`` and one module per workload. Arrays in and out are
NumPy, float32, channels first; labels are int64; parameters are canonical (dense weights out × in, convolution kernels
out × in × height × width) under the names that the workload declares.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from types import ModuleType
from typing import Any, Dict, FrozenSet, Tuple

import numpy as np

Parameters = Dict[str, np.ndarray]


class Trainer:
    """One network of one framework with its optimiser; subclassing is not needed, the verbs are."""

    def __init__(
        self,
        implementation: ModuleType,
        workload: Dict[str, Any],
        variants: FrozenSet[str],
        device: str,
        dropout: bool,
        seed: int,
    ):
        """Build the network. ``dropout=False`` sets every dropout rate to zero, for the proof's training steps."""
        raise NotImplementedError

    def load_parameters(self, parameters: Parameters) -> None:
        """Set all parameters from canonical arrays and start the optimiser anew."""
        raise NotImplementedError

    def parameters(self) -> Parameters:
        """Return all parameters as canonical float32 arrays."""
        raise NotImplementedError

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return the logits, float32 (batch, classes), dropout off."""
        raise NotImplementedError

    def loss_and_gradients(self, inputs: np.ndarray, labels: np.ndarray) -> Tuple[float, Parameters]:
        """Return the loss and its gradients under the parameters' names, dropout off, without an update."""
        raise NotImplementedError

    def prepare(self, inputs: np.ndarray, labels: np.ndarray) -> Any:
        """Bring batches, float32 (steps, batch, …) and int64 (steps, batch), into the framework's host layout.

        This happens before the clock starts. The copy to the device belongs to ``train``.
        """
        raise NotImplementedError

    def train(self, batches: Any) -> np.ndarray:
        """Train on prepared batches, as this framework's users do, and return when the device has finished.

        Returns the training losses, one per step, or one mean where the framework's own loop reports only that.
        """
        raise NotImplementedError


def load_framework(folder: str) -> str:
    """Make a framework's folder importable wherever it lies; return the package's name."""
    name = "rosetta_frameworks_" + os.path.basename(os.path.abspath(folder))
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = [os.path.abspath(folder)]
        sys.modules[name] = package
    return name


def load_trainer(folder: str) -> ModuleType:
    """Import the ``trainer`` module of the framework in ``folder``, and with it the framework itself."""
    return importlib.import_module(load_framework(folder) + ".trainer")


def load_implementation(folder: str, workload: str) -> ModuleType:
    """Import the implementation of a workload from the framework in ``folder``."""
    return importlib.import_module(load_framework(folder) + "." + workload)
