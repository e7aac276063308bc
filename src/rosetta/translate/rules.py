"""The rules of a target: for each operation and each kind of module a function that writes it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rosetta.errors import RosettaError
from rosetta.translate.graph import Graph, Node

Rule = Callable[..., Any]
_Declared = TypeVar("_Declared", bound=Rule)


class NoRule(Exception):
    """Why a rule can't write what it was given; ``str`` says it in a sentence."""


@dataclass
class Rules:
    """What a target can write."""

    operations: dict[str, Rule] = field(default_factory=dict)
    modules: dict[str, Rule] = field(default_factory=dict)
    """By class, of modules that are written as a whole."""

    def operation(self, *names: str) -> Callable[[_Declared], _Declared]:
        """Declare a function as the rule of operations; it takes the scope and the operation's own arguments."""

        def declared(rule: _Declared) -> _Declared:
            self.operations.update(dict.fromkeys(names, rule))
            return rule

        return declared

    def module(self, *kinds: str) -> Callable[[_Declared], _Declared]:
        """Declare a function as the rule of whole modules; it takes the scope, the call and the arrays it is given."""

        def declared(rule: _Declared) -> _Declared:
            self.modules.update(dict.fromkeys(kinds, rule))
            return rule

        return declared


def check_rules(graph: Graph, rules: Rules, target: str) -> None:
    """Raise ``RosettaError`` where operations have no rule: which, the first one's place, and how many in all."""
    missing: dict[str, Node] = {}
    for node in graph.nodes.values():
        whole = any(graph.modules[path].kind in rules.modules for path, _ in node.calls)
        if node.operation not in rules.operations and node.operation != "getitem" and not whole:
            missing.setdefault(node.operation, node)
    if missing:
        operation, node = next(iter(missing.items()))
        others = sorted(set(missing) - {operation})
        more = f" {len(missing)} operations have none in all: {', '.join([operation, *others])}." if others else ""
        raise RosettaError(
            f"There is no rule for {operation} in {target}, used in {graph.place_of(node)}.{more}",
            "Write that part with other operations, or translate a part of the network.",
        )
