"""The values that variants were given: ``compile=max-autotune`` stands beside ``compile`` in what a trainer is told."""

from __future__ import annotations

from typing import Iterable, Optional


def value_of(variants: Iterable[str], name: str) -> Optional[str]:
    """Return the value that a variant was given; None if it has its usual one, or wasn't named."""
    return next((text.partition("=")[2] for text in variants if text.startswith(name + "=")), None)
