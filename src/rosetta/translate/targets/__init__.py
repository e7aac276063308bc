"""The frameworks that networks are translated into: a folder each, which is found where it lies."""

from importlib import import_module
from pathlib import Path

from rosetta.translate.target import Target


def targets() -> dict[str, Target]:
    """Return all targets by name."""
    names = sorted(folder.parent.name for folder in Path(__file__).parent.glob("*/__init__.py"))
    return {name: import_module(f"{__name__}.{name}").TARGET for name in names}
