"""The few methods that every framework implements, and how a worker finds them.

A framework's folder has a ``trainer.py`` with a class ``Trainer`` and one module per workload. Arrays in and out are
NumPy: pixels of the workload's ``dtype``, channels first; tokens int32; labels int64, one for a sample, or
one for each position where the network classifies them. The inputs of a network are a tuple, mostly of one.
Parameters are canonical under the names that the workload declares, by kind:

    dense_weight                        (out, in)
    conv2d_weight                       (out, in, height, width), not flipped
    bias                                (out,)
    embedding_weight                    (vocabulary, features)
    position_weight                     (length, features)
    lstm_weight, lstm_bias              (4·units, in or units), (4·units,); gates i, f, g, o
    gru_weight, gru_bias                (3·units, in or units), (3·units,); gates r, z, n
    mgu_weight, mgu_bias                (2·units, in or units), (2·units,); gates f, c
    activation_scale, activation_slope  (channels,), a and b of a·x·σ(b·x)
    norm_scale, norm_shift              (channels,), or (features,) of a layer normalisation
    norm_mean, norm_variance            (channels,), the running ones: not trainable
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from types import ModuleType
from typing import Any, Dict, FrozenSet, Tuple

import numpy as np

Inputs = Tuple[np.ndarray, ...]
Parameters = Dict[str, np.ndarray]


class Trainer:
    """One network of one framework with its optimiser; subclassing is not needed, the methods are."""

    def __init__(
        self,
        implementation: ModuleType,
        workload: Dict[str, Any],
        variants: FrozenSet[str],
        device: str,
        dropout: bool,
        seed: int,
    ):
        """Build the network, with the sizes in ``workload["options"]`` where there are any.

        ``dropout=False`` sets every dropout rate to zero, for the proof's training steps. The workload's ``dtype`` is
        that of parameters, inputs and all arithmetic: "float32", but "float64" for some proofs' training steps. Where
        the workload isn't ``trained`` there is no optimiser; neither ``loss_and_gradients`` nor ``train`` is called.
        """
        raise NotImplementedError

    def load_parameters(self, parameters: Parameters) -> None:
        """Set all parameters from canonical arrays and start the optimiser anew."""
        raise NotImplementedError

    def parameters(self) -> Parameters:
        """Return all parameters as canonical arrays."""
        raise NotImplementedError

    def predict(self, inputs: Inputs) -> np.ndarray:
        """Return the logits, (batch, classes) or (batch, …, classes).

        Dropout is off, and batch normalisation is by running statistics.
        """
        raise NotImplementedError

    def loss_and_gradients(self, inputs: Inputs, labels: np.ndarray) -> Tuple[float, Parameters]:
        """Return the loss and its gradients for the trainable parameters, the network as in ``predict``, no update."""
        raise NotImplementedError

    def prepare(self, inputs: Inputs, labels: np.ndarray) -> Any:
        """Bring batches, each input and the labels (steps, batch, …), into the framework's host layout.

        This happens before the clock starts. The copy to the device belongs to ``train``.
        """
        raise NotImplementedError

    def train(self, batches: Any) -> np.ndarray:
        """Train on prepared batches, as this framework's users do, and return when the device has finished.

        Returns the training losses, one per step, or one mean where the framework's own loop reports only that.
        """
        raise NotImplementedError

    def open_files(self, images: str, labels: str) -> None:
        """Start the framework's own loader on the training set; only for workloads with ``own_loader``.

        The files are ``.npy`` arrays: uint8 (samples, channels, height, width) and int64 (samples,).
        """
        raise NotImplementedError

    def train_from_files(self, steps: int) -> np.ndarray:
        """Train on the loader's next batches, otherwise like ``train``; after the last one it begins again."""
        raise NotImplementedError

    def loaded(self, steps: int) -> Tuple[np.ndarray, np.ndarray]:
        """Return the loader's next batches as ``train_from_files`` would be given them, and train on none of them.

        Images, float32 (steps, batch, channels, height, width), and labels (steps, batch). They come from the very
        loader that ``train_from_files`` takes its batches from, which gives none of them again in this epoch: what one
        method has had the other doesn't get. The proof sees by it what the loader delivers.
        """
        raise NotImplementedError

    def reseed(self, seed: int) -> None:
        """Start all of dropout's random numbers anew, so that an epoch's don't depend on what was drawn before."""
        raise NotImplementedError

    def optimizer_state(self) -> Parameters:
        """Return all that the optimiser has accumulated, by names of the framework's own choice."""
        raise NotImplementedError

    def load_optimizer_state(self, arrays: Parameters) -> None:
        """Set all that the optimiser had accumulated, once ``load_parameters`` has started it anew."""
        raise NotImplementedError

    def set_steps_done(self, steps: int) -> None:
        """Have the optimiser think that it has done so many steps; what it has accumulated stays.

        All that follows from the count follows: bias corrections, a rate that the optimiser computes from it. A rate
        that the training loop sets, as by a scheduler's step, isn't set here: that is for the loop, in the step that
        comes next, and the proof looks at the one after it. Where the optimiser counts nothing this does nothing.
        """
        raise NotImplementedError

    def own_weights(self) -> Dict[str, np.ndarray]:
        """Return all weights by the framework's own names and in its layout, as its users know them.

        This and its inverse are for frameworks whose users keep weights in ``.safetensors`` files, and for Keras' own
        forms, where a name is ``LAYER/VARIABLE`` and a layer's variables come in the order in which a file has them.
        What isn't float is a counter. More parameters than the workload has are no fault as long as ``parameters``
        returns the workload's after ``load_own_weights``, so that the outputs are the same.
        """
        raise NotImplementedError

    def load_own_weights(self, arrays: Dict[str, np.ndarray]) -> None:
        """Set all weights by the framework's own names; raise if one is missing, odd or of another shape."""
        raise NotImplementedError

    def save(self, file: str) -> None:
        """Write the network to a file of the framework's own, in the form that its suffix names."""
        raise NotImplementedError

    def restore(self, file: str) -> None:
        """Read weights from such a file; raise if they aren't this network's."""
        raise NotImplementedError

    def prepare_inputs(self, inputs: Inputs) -> Any:
        """Bring inputs, each (steps, batch, …), into the framework's host layout for ``infer``.

        Only for workloads that aren't trained; the batch size may be one. A framework without this method, written
        before there was one, is given what its ``prepare`` makes of the inputs and labels of 0.
        """
        return self.prepare(inputs, np.zeros(inputs[0].shape[:2], np.int64))

    def infer(self, batches: Any) -> np.ndarray:
        """Predict on prepared inputs, as this framework's users do, and return the outputs, (steps · batch, …).

        They are in the host's memory then, so the device has finished; they are held against those of ``predict``.
        Takes what ``prepare_inputs`` returns; only for workloads that aren't trained.
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


def load_replicas(folder: str) -> ModuleType:
    """Import the ``replicas`` module, whose class ``Trainer`` has the same methods and also takes ``replicas``.

    Each batch is shared equally by so many copies of the network, in order: the first has the first samples. Where the
    manifest says that each is a process of its own, ``prepare`` gets a part of the batches only, and the class also
    takes the process's ``rank`` from 0 on and ``rendezvous``, a path that doesn't exist yet and is the same for all.
    Then the first alone is asked to look at the network: nobody else takes part in that.
    """
    return importlib.import_module(load_framework(folder) + ".replicas")


def load_implementation(folder: str, workload: str) -> ModuleType:
    """Import the implementation of a workload from the framework in ``folder``."""
    return importlib.import_module(load_framework(folder) + "." + workload)


def implementation_of(folder: str, workload: Dict[str, Any]) -> Any:
    """Return the implementation of a workload as the host describes it: its module, or what is made of its layers.

    A folder may have a module ``interpreter``. Its function ``implementation`` takes the description of a workload that
    has no module here, and returns what stands for one.
    """
    files = (os.path.join(folder, name + ".py") for name in (workload["module"], "interpreter"))
    own, interpreter = map(os.path.isfile, files)
    if interpreter and not own:
        return importlib.import_module(load_framework(folder) + ".interpreter").implementation(workload)
    return load_implementation(folder, workload["module"])
