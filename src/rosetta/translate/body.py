"""What a module's code becomes: its members, and the statements of its call."""

from dataclasses import dataclass, field
from typing import Any

from rosetta.translate.graph import Tensor
from rosetta.translate.layout import Layout
from rosetta.translate.text import Attribute, Expr, Ref

Axes = tuple[int, ...]


@dataclass(frozen=True)
class Val:
    """An array as the translation has it: which variable it is, its shape in the source, how its axes lie."""

    ref: str
    shape: tuple[int, ...]
    dtype: str
    layout: Layout
    parts: tuple[str, ...] = ()
    """Where it is a list of arrays, their names."""

    @property
    def rank(self) -> int:
        """How many axes it has in the source."""
        return len(self.shape)


@dataclass(frozen=True)
class Carried:
    """A tensor of the source as one of the target: its axes in another order."""

    tensor: Tensor
    axes: Axes
    part: str = ""
    """Where it is one of several equal parts of a fused tensor, which: "q", "k" or "v"; then ``axes`` are its own, the
    outputs first."""
    outputs: int = 1
    """How many of these axes are the outputs."""


@dataclass
class Member:
    """What a module keeps under a name: what makes it, and the tensors in it by path."""

    maker: Expr
    tensors: dict[str, Carried] = field(default_factory=dict)
    bodies: "list[tuple[str, Body]]" = field(default_factory=list)
    """Children with classes of their own, and where in it they lie."""


@dataclass
class Item:
    """A step: the variables that it sets, and what to."""

    targets: list[str | None]
    value: Expr
    place: int
    keep: bool = False
    """Whether it is a statement of its own whatever stands around it."""


@dataclass
class Body:
    """One module's call: what its class is to hold."""

    path: str
    kind: str
    inputs: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """What the source calls the inputs."""
    members: dict[tuple[str, ...], Member] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    returns: Expr | None = None
    chain: list[Expr] | None = None
    """Where it only calls one thing after the other: what these are."""

    def callee(self, path: tuple[str, ...]) -> Expr:
        """Return how one of its members is called."""
        return Expr((Attribute(path),))


def reference(name: str) -> Ref:
    """Return the array of that name."""
    return Ref(name)


Outputs = Any
