"""How an array of the standard becomes one of a port: its axes in another order, its features flattened otherwise."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta_worker.messages import OwnTensor

Image = tuple[int, int, int]
"""Channels, height, width."""
_ORDERS: dict[int, tuple[str, ...]] = {
    2: ("OI", "IO"),
    3: ("OIW", "WIO", "OWI", "IOW"),
    4: ("OIHW", "HWIO", "OHWI", "IOHW", "HWOI"),
    5: ("OIDHW", "DHWIO", "ODHWI", "IODHW", "DHWOI"),
}
"""The orders in which frameworks have the axes of weights; height and width are never exchanged."""


@dataclass(frozen=True)
class Layout:
    """From the standard's array to the port's: features reordered, axes in another order, then the port's shape."""

    shape: tuple[int, ...]
    axes: tuple[int, ...]
    flattened_axis: int | None = None
    """The standard's axis whose features are flattened images, which the port flattens in another order."""
    flattened: Image | None = None
    flattened_last: bool = True
    """Whether it is the port that has the channels last there; else it is the standard."""

    def apply(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the port's array."""
        array = self._reordered(array, self.flattened_last)
        return np.ascontiguousarray(array.transpose(self.axes).reshape(self.shape))

    def undo(self, array: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
        """Return the standard's array, of that shape, of the port's; of another size it is left as it is."""
        if array.size != math.prod(shape):
            return array
        array = array.reshape([shape[axis] for axis in self.axes]).transpose(np.argsort(self.axes))
        return np.ascontiguousarray(self._reordered(array, not self.flattened_last))

    def _reordered(self, array: NDArray[Any], to_last: bool) -> NDArray[Any]:
        """Bring the flattened images' channels from first to last, or from last to first."""
        if self.flattened is None or self.flattened_axis is None:
            return array
        at, (channels, height, width) = self.flattened_axis, self.flattened
        parts = (channels, height, width) if to_last else (height, width, channels)
        parted = array.reshape(*array.shape[:at], *parts, *array.shape[at + 1 :])
        moved = np.moveaxis(parted, at, at + 2) if to_last else np.moveaxis(parted, at + 2, at)
        return moved.reshape(array.shape)


_USUAL = {"IO": "OI", "WIO": "OIW", "HWIO": "OIHW", "DHWIO": "OIDHW"}
"""Layouts of weights and those that the causes of differences are computed in."""


def in_usual_order(tensor: OwnTensor, array: NDArray[Any]) -> NDArray[Any]:
    """Return a tensor's values with outputs and inputs first, where its layout says which axes they are."""
    wanted = _USUAL.get(tensor.layout, tensor.layout)
    return array.transpose([tensor.layout.index(letter) for letter in wanted]) if wanted else array


def squeezed(shape: Iterable[int]) -> tuple[int, ...]:
    """Return a shape without its ones."""
    return tuple(size for size in shape if size != 1)


def layouts(standard: OwnTensor, port: OwnTensor, images: Sequence[Image] = ()) -> list[Layout]:
    """Return every layout that could make the port's array of the standard's, the likeliest first.

    What the kinds of both say about their axes leaves no other order. ``images`` are shapes that the networks have
    inside: features may have been flattened from these, or from smaller ones of the same proportions, as pooling makes
    them. None where the shapes don't fit.
    """
    found = _told(standard, port) or _possible(standard, port)
    features = [axis for axis, letter in enumerate(standard.layout) if letter == "I"] or range(len(standard.shape))
    if len(standard.shape) == 2:
        plain = list(found)
        for axis in features:
            fitting = dict.fromkeys(filter(None, (_scaled(image, standard.shape[axis]) for image in images)))
            for last in (True, False):
                found += [Layout(one.shape, one.axes, axis, image, last) for image in fitting for one in plain]
    return found


def image_shapes(shapes: Iterable[Sequence[int]], channels_last: bool = False) -> list[Image]:
    """Return the images among these outputs, a batch each, that have several channels."""
    images = [(s[3], s[1], s[2]) if channels_last else (s[1], s[2], s[3]) for s in shapes if len(s) == 4]
    return list(dict.fromkeys(image for image in images if image[0] > 1 and min(image) > 0))


def _scaled(image: Image, features: int) -> Image | None:
    """Return the image of these proportions that has so many features, if it can be flattened in two ways."""
    channels, height, width = image
    pixels, rest = divmod(features, channels)
    scaled = round(math.sqrt(pixels * height / width))
    if rest or scaled < 1 or pixels % scaled or pixels == 1 or scaled * width != pixels // scaled * height:
        return None
    return channels, scaled, pixels // scaled


def _told(standard: OwnTensor, port: OwnTensor) -> list[Layout]:
    """Return the one layout that both sides' letters say."""
    if not standard.layout or not port.layout:
        return []
    sizes = dict(zip(standard.layout, standard.shape, strict=True))
    wanted = [letter for letter, size in zip(port.layout, port.shape, strict=True) if size != 1]
    have = [letter for letter in standard.layout if sizes[letter] != 1]
    if sorted(wanted) != sorted(have):
        return []
    axes = [standard.layout.index(letter) for letter in wanted]
    axes += [axis for axis, size in enumerate(standard.shape) if size == 1]
    if [standard.shape[axis] for axis in axes[: len(wanted)]] != list(squeezed(port.shape)):
        return []
    return [Layout(tuple(port.shape), _tidy(axes, standard.shape))]


def _possible(standard: OwnTensor, port: OwnTensor) -> list[Layout]:
    """Return those that frameworks have, each effect once."""
    size = len(standard.shape)
    orders = _ORDERS.get(size, ("".join(map(str, range(size))),))
    first = orders[0]
    found: dict[tuple[int, ...], Layout] = {}
    for order in orders:
        axes = tuple(first.index(letter) for letter in order)
        if squeezed(standard.shape[axis] for axis in axes) == squeezed(port.shape):
            effect = tuple(axis for axis in axes if standard.shape[axis] != 1)
            found.setdefault(effect, Layout(tuple(port.shape), axes))
    return list(found.values())


def _tidy(axes: Sequence[int], shape: Sequence[int]) -> tuple[int, ...]:
    """Return the usual order where nothing but ones is moved."""
    effect = [axis for axis in axes if shape[axis] != 1]
    return tuple(range(len(shape))) if effect == sorted(effect) else tuple(axes)
