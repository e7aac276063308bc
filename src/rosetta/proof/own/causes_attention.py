"""What an attention does otherwise, between its projections: scale, mask, softmax, heads."""

import math
from collections.abc import Sequence

import numpy as np

from rosetta.proof.own.search import Array, Way

_MOST_HEADS = 64
_MOST_WORK = 3e7
"""Values of one way's weights of attention: what is larger isn't tried."""
_ORDERS = ("q,k,v", "k,q,v")


def attention_choices(width: int, length: int, fused: bool) -> dict[str, Sequence[str]]:
    """Return the ways to attend, the usual ones first; ``width`` is that of one projection."""
    heads = [n for n in range(1, min(width, _MOST_HEADS) + 1) if width % n == 0]
    return {
        "heads": [str(n) for n in heads],
        "projections": [f"{order}{how}" for order in _ORDERS for how in ("", *([" of each head"] * fused))],
        "scores times": ["1 / √(features of a head)", "1 / √(all features)", "1", "1 / (features of a head)",
                         "√(features of a head)"],
        "mask": ["of later places", "none", "of earlier places", "of later places and its own", "by 0 in place of -∞",
                 "after the softmax"],
        "softmax over": ["keys", "queries", "heads"],
        "heads put together": ["beside each other", "without moving them back"],
        "heads taken apart": ["features", "places and features"],
    }  # fmt: skip


def computed_attention(given: Array | tuple[Array, Array, Array], way: Way) -> Array | None:
    """Return what the heads give, (batch, length, width), of one fused projection or of three."""
    heads, order = int(way["heads"]), way["projections"]
    parts = list(given) if isinstance(given, tuple) else _apart(given, heads, order.endswith("of each head"))
    named = dict(zip(order.split()[0].split(","), parts, strict=True))
    batch, length, width = parts[0].shape
    size = width // heads
    if batch * heads * length**2 > _MOST_WORK or _is_another(way, heads, size):
        return None
    if way["heads taken apart"] == "features":
        q, k, v = (named[name].reshape(batch, length, heads, size).transpose(0, 2, 1, 3) for name in "qkv")
    else:
        q, k, v = (named[name].reshape(batch, heads, length, size) for name in "qkv")
    weights = _weights(q @ k.swapaxes(2, 3) * _factor(way["scores times"], size, width), way)
    mixed = weights @ v
    if way["heads put together"] == "beside each other":
        mixed = mixed.transpose(0, 2, 1, 3)
    return mixed.reshape(batch, length, width)


def _is_another(way: Way, heads: int, size: int) -> bool:
    """Whether it is the same as another way, for one head or heads of one feature."""
    factor = way["scores times"]
    of_one_head = (
        way["projections"].endswith("head")
        or way["heads put together"] != "beside each other"
        or way["heads taken apart"] != "features"
        or factor == "1 / √(all features)"
    )
    return (heads == 1 and of_one_head) or (size == 1 and factor.endswith("of a head)"))


def _apart(given: Array, heads: int, of_each: bool) -> list[Array]:
    batch, length, width = given.shape
    if not of_each:
        return np.split(given, 3, axis=2)
    parts = given.reshape(batch, length, heads, 3, width // heads // 3)
    return [parts[:, :, :, n].reshape(batch, length, width // 3) for n in range(3)]


def _factor(name: str, size: int, width: int) -> float:
    factors = {
        "1 / √(features of a head)": 1 / math.sqrt(size),
        "1 / √(all features)": 1 / math.sqrt(width),
        "1 / (features of a head)": 1 / size,
        "√(features of a head)": math.sqrt(size),
    }
    return factors.get(name, 1.0)


def _weights(scores: Array, way: Way) -> Array:
    later = np.triu(np.ones(scores.shape[2:], bool), 1)
    mask = way["mask"]
    axis = {"keys": 3, "queries": 2, "heads": 1}[way["softmax over"]]
    if mask == "of later places":
        scores = np.where(later, -np.inf, scores)
    elif mask == "of earlier places":
        scores = np.where(later.T, -np.inf, scores)
    elif mask == "of later places and its own":
        scores = np.where(~later.T, -np.inf, scores)
    elif mask == "by 0 in place of -∞":
        scores = np.where(later, 0.0, scores)
    highest = scores.max(axis, keepdims=True)
    powers = np.exp(scores - np.where(np.isfinite(highest), highest, 0))
    weights = powers / powers.sum(axis, keepdims=True)
    return np.where(later, 0.0, weights) if mask == "after the softmax" else weights
