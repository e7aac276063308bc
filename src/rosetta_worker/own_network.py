"""A network of the user's own: what a framework's class for it does, and the user's code, loaded and called.

Nothing here imports a framework; a folder that takes such networks has a module ``own_network`` with a class
``OwnNetwork``, whose methods are those of the class below. Those that it lacks it can't do: the host asks for them.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import sys
import traceback
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from rosetta_worker.layouts import images_to_channels_last
from rosetta_worker.messages import ModuleCall, OwnTensor
from rosetta_worker.trainer import Inputs, load_framework

_FRAMES = 3
"""How many of the user's own frames an error shows, the innermost last."""


class OwnNetwork:
    """The methods of a network of the user's own. Arrays in are NumPy, images channels first; paths join with dots."""

    def __init__(self, make: "Maker", inputs: Inputs, device: str, seed: int):
        """Make the network in float32, with its random numbers seeded, ready to be asked about such inputs."""
        raise NotImplementedError

    def tensors(self) -> List[OwnTensor]:
        """Describe parameters, running statistics and constants, in the order in which the network uses them."""
        raise NotImplementedError

    def calls(self) -> List[ModuleCall]:
        """Describe the calls of sub-modules, in the order in which they return."""
        raise NotImplementedError

    def own_weights(self) -> Dict[str, np.ndarray]:
        """Return what ``tensors`` describes, by path."""
        raise NotImplementedError

    def load_own_weights(self, arrays: Dict[str, np.ndarray]) -> None:
        """Set some of them, cast to the network's precision; raise for a path or shape that isn't there."""
        raise NotImplementedError

    def outputs(self, inputs: Inputs) -> Dict[str, np.ndarray]:
        """Return the outputs in evaluation mode by name: "output", "output.0", "output.logits"."""
        raise NotImplementedError

    def calculate(self, inputs: Inputs, factors: Dict[str, np.ndarray], training: bool) -> "Calculated":
        """Run forward and backward, dropout off; leave parameters and statistics as they were.

        The scalar is the sum over all outputs of each one's values times its factors; the gradients are the scalar's.
        """
        raise NotImplementedError

    def module_outputs(self, inputs: Inputs) -> List[Tuple[Optional[np.ndarray], np.ndarray]]:
        """Return, for each of ``calls``, the first array that the module was given, if any, and the first it gave."""
        raise NotImplementedError

    def to_float64(self) -> None:
        """Compute in float64 from now on; the host then loads all weights anew."""
        raise NotImplementedError

    def training_modules(
        self, inputs: Inputs, factors: Dict[str, np.ndarray]
    ) -> Tuple[List[ModuleCall], List[Tuple[Optional[np.ndarray], np.ndarray, np.ndarray]]]:
        """Return the calls of sub-modules in training mode, dropout off, and for each what it was given, what it gave,
        and the scalar's gradient that arrives there: at the first array that it gave, over all that use it.

        Parameters and statistics stay as they were.
        """
        raise NotImplementedError

    def optimizer_steps(
        self, inputs: Inputs, targets: Inputs, factors: Dict[str, np.ndarray], training: "Training", steps: "Steps"
    ) -> None:
        """Train on one batch, dropout off, with an optimiser that the user's ``make_optimizer`` makes now.

        ``steps`` says how often, and is told what came of it. What is minimised is the user's ``loss`` of what the
        network gives and the targets, or else the scalar. Parameters and statistics are then as they were.
        """
        raise NotImplementedError


class Calculated:
    """Outputs, the scalar, its gradients by path, statistics after the step, and the rates of dropouts met."""

    def __init__(
        self,
        outputs: Dict[str, np.ndarray],
        scalar: float,
        gradients: Dict[str, np.ndarray],
        statistics: Dict[str, np.ndarray],
        drops: List[float],
    ):
        self.outputs = outputs
        self.scalar = scalar
        self.gradients = gradients
        self.statistics = statistics
        self.drops = drops


class Training:
    """What the user has beside a network to train it: ``loss`` and ``make_optimizer``, None where there is none."""

    def __init__(self, loss: Optional[Callable[..., Any]], make_optimizer: Optional[Callable[..., Any]]):
        self.loss = loss
        self.make_optimizer = make_optimizer

    def loss_of(self, outputs: Any, targets: Sequence[Any]) -> Any:
        """Call the user's loss with what the network gave and the targets."""
        assert self.loss is not None
        try:
            inspect.signature(self.loss).bind(outputs, *targets)
        except TypeError as error:
            raise OwnCodeError(
                "loss: {}; it is called with the outputs and {} targets: declare these with --target".format(
                    error, len(targets)
                )
            ) from None
        except ValueError:  # what is written in C has no signature
            pass
        with own_code():
            return self.loss(outputs, *targets)

    def optimizer_of(self, arguments: Callable[[str], Any]) -> Any:
        """Call the user's ``make_optimizer``; what it takes without a default it gets by ``arguments`` of the name."""
        assert self.make_optimizer is not None
        with own_code():
            wanted = [
                name
                for name, parameter in inspect.signature(self.make_optimizer).parameters.items()
                if parameter.default is parameter.empty
                and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            ]
            if len(wanted) > 1:
                raise OwnCodeError(
                    "make_optimizer wants {}: it is called with the network alone".format(", ".join(wanted))
                )
            return self.make_optimizer(*map(arguments, wanted))


class Steps:
    """What a few optimiser steps did: the loss before each; parameters after and gradients in some of them, by path."""

    def __init__(self, kept: Sequence[int], gradients: int):
        """``kept`` are the steps, from 1, whose parameters are kept; ``gradients`` how many steps' gradients."""
        self.count = max(kept)
        self.losses: List[float] = []
        self.parameters: Dict[int, Dict[str, np.ndarray]] = {}
        self.gradients: Dict[int, Dict[str, np.ndarray]] = {}
        self._kept = frozenset(kept)
        self._gradients = gradients

    def computed(self, loss: float, gradients: Callable[[], Dict[str, np.ndarray]]) -> None:
        """Take the loss of the next step and, if they are to be kept, its gradients."""
        self.losses.append(loss)
        if len(self.losses) <= self._gradients:
            self.gradients[len(self.losses)] = gradients()

    def stepped(self, parameters: Callable[[], Dict[str, np.ndarray]]) -> None:
        """Take the parameters after that step, if they are to be kept."""
        if len(self.losses) in self._kept:
            self.parameters[len(self.losses)] = parameters()


class OwnCodeError(Exception):
    """What the user's own code raised, where it did; or what is wrong with what it gave."""


class Maker:
    """Makes the user's network: what is named is one, or is called with arguments and gives one.

    Whoever needs another one, in another precision, calls it again: what is named is loaded anew then, as a network
    may be made where its file is run.
    """

    def __init__(self, load: Callable[[], Any], name: str, arguments: Mapping[str, Any]):
        self._load = load
        self._name = name
        self._arguments = dict(arguments)

    def __call__(
        self, is_network: Callable[[Any], bool], kind: str, offered: Optional[Mapping[str, Any]] = None
    ) -> Any:
        """Return the network; ``kind`` names what one is, ``offered`` are arguments for a parameter of that name."""
        named = self._load()
        if is_network(named):
            if self._arguments:
                raise OwnCodeError("{} is a network already: it takes no arguments".format(self._name))
            return named
        if not callable(named):
            raise OwnCodeError(
                "{} is a {}: neither {} nor what makes one".format(self._name, type(named).__name__, kind)
            )
        arguments = self._bound(named, dict(offered or {}))
        with own_code():
            made = named(**arguments)
        if not is_network(made):
            raise OwnCodeError("{}(…) gives a {}, not {}".format(self._name, type(made).__name__, kind))
        return made

    def _bound(self, named: Any, offered: Dict[str, Any]) -> Dict[str, Any]:
        try:
            # A metaclass, as Flax's modules have one, may hide what their class takes.
            of_class = inspect.isclass(named) and named.__init__ is not object.__init__
            signature = inspect.signature(named.__init__ if of_class else named)
            if of_class:
                signature = signature.replace(parameters=list(signature.parameters.values())[1:])
        except (TypeError, ValueError):  # what is written in C has none
            return self._arguments
        arguments = {name: value for name, value in offered.items() if name in signature.parameters}
        arguments.update(self._arguments)
        try:
            signature.bind(**arguments)
        except TypeError as error:
            raise OwnCodeError(
                "{}: {}. It is {}{}; write the arguments as {}(name=value)".format(
                    self._name, error, self._name, signature, self._name
                )
            ) from None
        return arguments


@contextlib.contextmanager
def own_code() -> Iterator[None]:
    """Turn whatever the user's code raises, also the end of the process, into an ``OwnCodeError`` that says where."""
    try:
        yield
    except OwnCodeError:
        raise
    except (Exception, SystemExit) as error:
        raise OwnCodeError(_told(error)) from error


def load_named(folder: str, file: Optional[str], module: Optional[str], name: str) -> Any:
    """Return what the user named in a file, or in a module; ``folder`` is where the user is, and where it then runs."""
    os.chdir(folder)
    place = os.path.dirname(os.path.abspath(file)) if file else folder
    if file and os.path.splitext(os.path.basename(file))[0] in _frameworks():
        sys.meta_path.append(_Neighbours(place))  # on the path jax.py and torch.py would be imported for the packages
    elif place not in sys.path:
        sys.path.insert(0, place)  # so that its neighbours are found, as where it is run as a script
    where = os.path.basename(file) if file else str(module)
    with own_code():
        found = _loaded(file) if file else importlib.import_module(str(module))
    for part in name.split("."):
        if not hasattr(found, part):
            names = [n for n, value in vars(found).items() if not n.startswith("_") and callable(value)]
            raise OwnCodeError(
                "{} has no {}; it has {}".format(where, name, ", ".join(names[:20]) or "nothing callable")
            )
        found = getattr(found, part)
    return found


def beside(file: Optional[str], module: Optional[str]) -> Training:
    """Return what is beside the network in the file or module that ``load_named`` loaded last."""
    found = sys.modules[_module_name(file) if file else str(module)]
    loss, make_optimizer = (getattr(found, name, None) for name in ("loss", "make_optimizer"))
    return Training(loss if callable(loss) else None, make_optimizer if callable(make_optimizer) else None)


class _Neighbours:
    """Finds what lies beside a file, except what has a framework's name: ``jax.py`` there isn't JAX."""

    def __init__(self, place: str):
        self._place = place

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if path is not None or name in _frameworks():
            return None
        return importlib.machinery.PathFinder.find_spec(name, [self._place])


def _frameworks() -> List[str]:
    return os.listdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "frameworks"))


def load_own_network(folder: str) -> Any:
    """Import the module ``own_network`` of the framework in ``folder``."""
    return importlib.import_module(load_framework(folder) + ".own_network")


def named_outputs(value: Any, is_array: Callable[[Any], bool], name: str = "output") -> Dict[str, Any]:
    """Return all arrays that a network gave, by name; what is in them by position or key, None left out."""
    if is_array(value):
        return {name: value}
    if value is None:
        return {}
    if isinstance(value, Mapping):
        items: List[Tuple[Any, Any]] = list(value.items())
    elif isinstance(value, (list, tuple)):
        items = list(enumerate(value))
    else:
        raise OwnCodeError("the network gives a {}, in which no arrays are found".format(type(value).__name__))
    found: Dict[str, Any] = {}
    for key, part in items:
        found.update(named_outputs(part, is_array, "{}.{}".format(name, key)))
    return found


def ask_in_either_layout(inputs: Inputs, ask: Callable[[bool], Any], first: bool = True) -> bool:
    """Ask a network about images channels last, and where that fails channels first; return whether it was last.

    ``ask`` is told which, and raises ``OwnCodeError`` where the network doesn't take them so. ``first`` is what it is
    told first.
    """
    try:
        ask(first)
        return first
    except OwnCodeError as error:
        if all(array.ndim < 4 for array in inputs):
            raise
        with contextlib.suppress(OwnCodeError):
            ask(not first)
            return not first
        one, other = ("last", "first") if first else ("first", "last")
        raise OwnCodeError("{} (with images channels {}; channels {} fails too)".format(error, one, other)) from error


def in_layout(array: np.ndarray, channels_last: bool) -> np.ndarray:
    """Return an input in the layout that the network takes."""
    return images_to_channels_last(array) if channels_last else array


@contextlib.contextmanager
def replaced(holder: Any, name: str, value: Any) -> Iterator[None]:
    """Give a class or an object another attribute for a while."""
    before = getattr(holder, name)
    setattr(holder, name, value)
    try:
        yield
    finally:
        setattr(holder, name, before)


def in_order_of_use(tensors: List[OwnTensor], used: Sequence[str]) -> List[OwnTensor]:
    """Sort tensors by when their modules were first used; ``used`` has the modules' paths.

    One whose module is never called itself comes with what that lies in, for it is used there.
    """
    first = {path: number for number, path in reversed(list(enumerate(used)))}

    def place(tensor: OwnTensor) -> float:
        owner = tensor.path.rpartition(".")[0]
        if not owner:
            return first.get("", float("inf"))
        while owner and owner not in first:
            owner = owner.rpartition(".")[0]
        return first[owner] if owner else float("inf")

    return sorted(tensors, key=place)


def arrays_in(value: Any, is_array: Callable[[Any], bool]) -> List[Any]:
    """Return the arrays that a sub-module gave or was given; none where it is nothing that a network may give."""
    try:
        return list(named_outputs(value, is_array).values())
    except OwnCodeError:
        return []


def check_gradients(gradients: Mapping[str, np.ndarray]) -> None:
    """Raise ``OwnCodeError`` where all are zero."""
    if not any(array.any() for array in gradients.values()):
        raise OwnCodeError("the outputs have no gradient: they hang on no parameter, or it was stopped")


def check_fit(arrays: Mapping[str, Any], shapes: Mapping[str, Tuple[int, ...]]) -> None:
    """Raise ``ValueError`` where an array's path isn't there, or is there in another shape."""
    for path, array in arrays.items():
        if path not in shapes:
            raise ValueError("there is no {}".format(path))
        if np.shape(array) != tuple(shapes[path]):
            raise ValueError("{} has shape {}, not {}".format(path, tuple(shapes[path]), np.shape(array)))


def _loaded(file: str) -> Any:
    name = _module_name(file)
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise OwnCodeError("{} is no Python file".format(os.path.basename(file)))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses, and much else, look their module up there
    spec.loader.exec_module(module)
    return module


def _module_name(file: str) -> str:
    return "rosetta_own_" + os.path.splitext(os.path.basename(file))[0]


def _told(error: BaseException) -> str:
    """Say what was raised and, of the lines that led there, the last that aren't this package's or a library's."""
    said = "".join(traceback.format_exception_only(type(error), error)).strip()
    frames = traceback.extract_tb(error.__traceback__)
    here = os.path.dirname(os.path.abspath(__file__))
    own = [
        f for f in frames if "site-packages" not in f.filename and not f.filename.startswith((here, sys.base_prefix))
    ]
    own = [f for f in own if not f.filename.startswith("<frozen")]
    lines = ["{}, line {}, in {}: {}".format(os.path.basename(f.filename), f.lineno, f.name, f.line) for f in own]
    if isinstance(error, SystemExit):
        said = "it ends the process: SystemExit({!r})".format(error.code)
    return "; ".join([said, *lines[-_FRAMES:]])
