"""Describes layers as plain JSON, for a worker that doesn't know the host's classes."""

from collections.abc import Sequence
from typing import Any

from rosetta.workloads.layers import Layer

_HOSTS_OWN = ("initialiser",)
"""Options that say how the host draws parameters; the network is the same whatever they are."""


def describe(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """Return each layer's ``kind`` and options, those of the layers inside it likewise.

    The kind is the name of the layer's class, but of an ``Elementwise`` layer its own. Every option stands there, that
    has its default too. Raises ``TypeError`` where an option has no plain form.
    """
    return [
        {"kind": type(layer).__name__}
        | {name: _plain(name, value) for name, value in vars(layer).items() if name not in _HOSTS_OWN}
        for layer in layers
    ]


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, Layer):
        return describe((value,))[0]
    if isinstance(value, tuple):
        return [_plain(name, part) for part in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"A layer's {name} can't be told to a worker: {value!r}.")
