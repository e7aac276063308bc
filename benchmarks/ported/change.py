"""What is changed in a port: texts that are put in others' places, and what a check has to say of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

NETWORKS = Path(__file__).parent / "networks"
STANDARD = NETWORKS / "standard.py"
INPUTS = {"Cnn": "3x12x8", "Lstm": "int:0:50:9", "Gpt": "int:0:30:7"}
"""Of each network, one sample."""
BATCH = 3
Framework = Literal["torch", "jax", "keras", "paddle"]
CONTENDERS: dict[Framework, str] = {"torch": "torch", "jax": "jax", "keras": "keras[jax]", "paddle": "paddle"}


@dataclass(frozen=True)
class Change:
    """A port of a network with texts in others' places; without any it is the port itself."""

    framework: Framework
    network: str
    name: str
    edits: tuple[tuple[str, str], ...] = ()
    """Each text occurs in the port's file exactly once."""
    at: str = ""
    """The standard's sub-module that has to be named: "before norm" where what goes in is off already, "after" where
    all sub-modules are the same."""
    cause: str = ""
    """What the cause that is named has to have in it; empty: there is none that could be named."""
    training: bool = False
    """Whether it shows in training mode alone."""

    @property
    def id(self) -> str:
        """``jax/Gpt/scale``, unlike any other's."""
        return f"{self.framework}/{self.network}/{self.name}"

    @property
    def text(self) -> str:
        """The port's file, changed; raise ``ValueError`` where a text isn't there exactly once."""
        text = (NETWORKS / f"{self.framework}_ports.py").read_text("utf-8")
        for old, new in self.edits:
            if text.count(old) != 1:
                raise ValueError(f"{self.id}: the port has {old!r} {text.count(old)} times")
            text = text.replace(old, new)
        return text


def fault(framework: Framework, network: str, name: str, at: str, cause: str, *edits: tuple[str, str]) -> Change:
    """Return a fault that shows in evaluation mode."""
    return Change(framework, network, name, edits, at, cause)


def rewrite(framework: Framework, network: str, name: str, *edits: tuple[str, str]) -> Change:
    """Return a change after which it is the same network."""
    return Change(framework, network, name, edits)
