"""Reads ``3x32x32``, ``int:0:100:16`` and ``float:0:1:3x32x32``, and makes such random inputs."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.errors import RosettaError

_SHAPE = re.compile(r"[1-9]\d*(x[1-9]\d*)*", re.ASCII)
_INTEGERS = re.compile(r"int:(?P<low>-?\d+):(?P<high>-?\d+):(?P<shape>.*)", re.ASCII)
_FLOATS = re.compile(r"float:(?P<low>[-+.\de]+):(?P<high>[-+.\de]+):(?P<shape>.*)", re.ASCII)
_CLASSES = re.compile(r"int:-?\d{1,19}:-?\d{1,19}", re.ASCII)
_TARGET_REMEDY = (
    "Write int:0:10 for a class of each sample; the shape of one sample, as 5; or whole numbers of a shape: "
    "int:0:1000:64."
)
_TARGETS = 1000
"""Their random numbers are others than those of inputs."""
_REMEDY = (
    "Write the shape of one sample, channels first: 3x32x32; or whole numbers from LOW to HIGH - 1, as tokens are: "
    "int:0:1000:64; or real numbers between two: float:0:1:3x32x32."
)
_LARGEST = 2**28
"""Values of one input, the whole batch."""
_MOST_DIMENSIONS = 8
BATCH = 4
"""Samples in a batch, where nothing else is said."""


@dataclass(frozen=True)
class OwnInput:
    """One input of a network: the shape of a sample and, where its values aren't standard normal, their range."""

    text: str
    shape: tuple[int, ...]
    low: float = 0
    high: float = 0
    """Above all of them; where it is the same as ``low`` the values are standard normal."""
    whole: bool = True
    """Whether what has a range is whole numbers."""

    def make(self, batch: int, random: np.random.Generator) -> NDArray[Any]:
        """Return a batch: standard normal or uniform, float32; or uniform whole numbers, int64."""
        shape = (batch, *self.shape)
        if self.high > self.low and self.whole:
            return random.integers(int(self.low), int(self.high), shape, np.int64)
        if self.high > self.low:
            return random.uniform(self.low, self.high, shape).astype(np.float32)
        return random.standard_normal(shape, np.float32)


def parse_input(text: str) -> OwnInput:
    """Read an input's notation; raise ``RosettaError`` where it can't be read."""
    floats = _FLOATS.fullmatch(text.strip())
    match = floats or _INTEGERS.fullmatch(text.strip())
    shape_text = match["shape"] if match else text.strip()
    if len(text) > 200 or not _SHAPE.fullmatch(shape_text):
        raise RosettaError(f"'{text[:200]}' is no input.", _REMEDY)
    shape = tuple(map(int, shape_text.split("x")))
    if len(shape) > _MOST_DIMENSIONS:
        raise RosettaError(f"'{text}' has more than {_MOST_DIMENSIONS} dimensions.", _REMEDY)
    if match is None:
        return OwnInput(text.strip(), shape)
    if floats:
        return OwnInput(text.strip(), shape, *_range(text, match["low"], match["high"]), whole=False)
    low, high = int(match["low"]), int(match["high"])
    if not -(2**31) <= low < high <= 2**31:
        raise RosettaError(f"'{text}' has no whole numbers of 32 bits from {low} to {high} - 1.", _REMEDY)
    return OwnInput(text.strip(), shape, low, high)


def _range(text: str, low: str, high: str) -> tuple[float, float]:
    try:
        between = float(low), float(high)
    except ValueError:
        raise RosettaError(f"'{text}' is no input.", _REMEDY) from None
    if not -(2.0**100) <= between[0] < between[1] <= 2.0**100:
        raise RosettaError(f"'{text}' has no real numbers from {low} to {high}.", _REMEDY)
    return between


def parse_target(text: str) -> OwnInput:
    """Read a target's notation: an input's, or ``int:0:10``, a class of each sample."""
    match = _CLASSES.fullmatch(text.strip())
    if match is None:
        try:
            return parse_input(text)
        except RosettaError as error:
            raise RosettaError(error.cause.replace("no input", "no target"), _TARGET_REMEDY) from None
    one = parse_input(f"{text.strip()}:1")
    return OwnInput(text.strip(), (), one.low, one.high)


def make_targets(targets: Sequence[OwnInput], batch: int, seed: int) -> tuple[NDArray[Any], ...]:
    """Return a batch of each target, by the seed; raise ``RosettaError`` where they are too large."""
    return make_inputs(targets, batch, seed, _TARGETS) if targets else ()


def make_inputs(inputs: Sequence[OwnInput], batch: int, seed: int, first: int = 0) -> tuple[NDArray[Any], ...]:
    """Return a batch of each input, by the seed; raise ``RosettaError`` where there are none or they are too large."""
    if not inputs:
        raise RosettaError("The network's inputs aren't named.", _REMEDY.replace("Write", "Give --input with", 1))
    if batch < 1:
        raise RosettaError(f"A batch of {batch} samples is none.", "--batch is at least 1.")
    for one in inputs:
        if batch * math.prod(one.shape) > _LARGEST:
            raise RosettaError(
                f"A batch of {batch} inputs {one.text} has more than {_LARGEST:,} values.", "Take a smaller --batch."
            )
    return tuple(one.make(batch, np.random.default_rng([seed, position])) for position, one in enumerate(inputs, first))
