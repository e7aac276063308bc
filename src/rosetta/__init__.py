"""Rosetta: the same neural network in every deep-learning framework, proven equal, measured side by side.

What each command does is a call here: ``rosetta.run("mnist_mlp", ["torch", "jax"])``. docs/python.md has them all.
"""

from importlib import import_module

from rosetta.version import __version__

TYPE_CHECKING = False  # as type checkers know it: importing typing would double the time until Ctrl-C is heard
if TYPE_CHECKING:
    from typing import Any

    from rosetta.benchmark.bisect import bisect
    from rosetta.benchmark.calls import calibrate, run, verify
    from rosetta.benchmark.lessons import LessonsObserver, try_lessons
    from rosetta.benchmark.observer import Observer
    from rosetta.benchmark.regress import regress
    from rosetta.errors import RosettaError
    from rosetta.history.add import add_to_history
    from rosetta.history.query import ask_history
    from rosetta.models.check import check
    from rosetta.models.convert import convert
    from rosetta.models.predict import predict
    from rosetta.models.train import TrainingObserver, train
    from rosetta.models.weights import Weights, load_weights, save_weights
    from rosetta.record.plan import Plan
    from rosetta.report.run_result import RunResult, read_result

_HOMES = {
    "LessonsObserver": "rosetta.benchmark.lessons",
    "Observer": "rosetta.benchmark.observer",
    "Plan": "rosetta.record.plan",
    "RosettaError": "rosetta.errors",
    "RunResult": "rosetta.report.run_result",
    "TrainingObserver": "rosetta.models.train",
    "Weights": "rosetta.models.weights",
    "add_to_history": "rosetta.history.add",
    "ask_history": "rosetta.history.query",
    "bisect": "rosetta.benchmark.bisect",
    "calibrate": "rosetta.benchmark.calls",
    "check": "rosetta.models.check",
    "convert": "rosetta.models.convert",
    "load_weights": "rosetta.models.weights",
    "predict": "rosetta.models.predict",
    "read_result": "rosetta.report.run_result",
    "regress": "rosetta.benchmark.regress",
    "run": "rosetta.benchmark.calls",
    "save_weights": "rosetta.models.weights",
    "train": "rosetta.models.train",
    "try_lessons": "rosetta.benchmark.lessons",
    "verify": "rosetta.benchmark.calls",
}
"""The module of each name, imported when the name is first asked for (PEP 562)."""

__all__ = [
    "LessonsObserver",
    "Observer",
    "Plan",
    "RosettaError",
    "RunResult",
    "TrainingObserver",
    "Weights",
    "__version__",
    "add_to_history",
    "ask_history",
    "bisect",
    "calibrate",
    "check",
    "convert",
    "load_weights",
    "predict",
    "read_result",
    "regress",
    "run",
    "save_weights",
    "train",
    "try_lessons",
    "verify",
]


def __getattr__(name: str) -> "Any":
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
