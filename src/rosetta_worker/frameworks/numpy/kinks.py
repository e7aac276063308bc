"""The gradient exactly at a kink, where frameworks differ: which one is taken while a block runs."""

import contextlib

_taken = []


@contextlib.contextmanager
def take(variants):
    """Take the gradients of these variants of the reference while the block runs: others' names do nothing."""
    _taken.append(variants)
    try:
        yield
    finally:
        _taken.pop()


def taken(variant):
    """Whether the block that runs takes this variant's gradient."""
    return bool(_taken) and variant in _taken[-1]
