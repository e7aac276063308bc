"""What a target framework is to the translator: its rules, and the few words that every file needs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rosetta.translate.layout import Layout
from rosetta.translate.rules import Rules
from rosetta.translate.text import Expr


@dataclass(frozen=True)
class Target:
    """A framework that networks are translated into."""

    name: str
    title: str
    rules: Rules
    parameter: Callable[[Any, Any, Layout | None], Expr]
    """How a scope's tensor is kept and read, its axes in an order."""
    input_layout: Callable[[int], Layout]
    """How an input of so many axes lies."""
    imports: dict[str, str]
    """The lines that import what texts use, by what they then contain."""
    base: str
    chain: str
    listed: str
    keyed: str
    call: str
    random: str = ""
    """What a constructor is given for its random numbers, and what it then hands on."""
    helpers: dict[str, str] = field(default_factory=dict)
    """Functions that a file has where it calls them, by name."""
