"""Asks a trained network, in any framework that has it, about samples of the user's own."""

import json
import os
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.contenders.contender import Contender
from rosetta.contenders.device import Wanted
from rosetta.contenders.placement import chosen
from rosetta.datasets import datasets
from rosetta.errors import RosettaError
from rosetta.models.images import read_picture
from rosetta.models.session import worker_session
from rosetta.models.weights import Weights, load_weights
from rosetta.workloads.spec import Workload

_LONGEST_NAME = 1000
"""Characters of a class's or word's name."""
Inputs = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class Prediction:
    """What a network says to one sample: the likeliest classes with their probabilities, the likeliest first."""

    sample: str
    classes: tuple[tuple[str, float], ...]
    """Their names differ: where the weights' file gives several the same one, each is followed by its number."""
    notes: tuple[str, ...] = ()
    """What of the sample was taken, where that isn't plain: a picture's first frame, a review's last words."""


def predict(
    weights: Weights | str | Path,
    samples: str | Path | Sequence[str | Path],
    contender: str | Contender | None = None,
    *,
    top: int = 3,
    device: Wanted = "auto",
    frameworks: str | Path | Iterable[str | Path] = (),
) -> list[Prediction]:
    """Return the ``top`` classes of each sample, by the weights' network in the contender's framework.

    A sample is a picture file or, where the network takes words, a text. Without a contender the one that trained
    predicts. ``device`` is where one computes that is named without. Raises ``RosettaError`` where a sample can't be
    read, the weights' file doesn't name classes or words, or an answer is no finite number.
    """
    if top < 1:
        raise RosettaError(f"The {top} likeliest classes can't be named.", "--top is at least 1.")
    if not isinstance(weights, Weights):
        weights = load_weights(weights)
    texts = [str(sample) for sample in ([samples] if isinstance(samples, str | Path) else samples)]
    if not texts:
        raise RosettaError("There is no sample to predict.", "Name a picture file, or give a text.")
    wanted = chosen(contender or weights.contender, frameworks, device)
    workload = weights.workload
    if not workload.trains:
        raise RosettaError(f"{workload.name} has no classes: its network only makes features.")
    if workload.label_shape:
        raise RosettaError(f"{workload.name} has a class for each position of a text, not one for the text.")
    (count,) = workload.output_shape
    names = _distinct(_named(weights, "classes", count, count))
    inputs, notes = _texts(weights, texts) if datasets()[workload.dataset].read_text else _pictures(workload, texts)
    with worker_session(wanted, weights.workload) as client:
        client.load_parameters(weights.parameters)
        logits = client.outputs(inputs)
    for sample, row in zip(texts, logits, strict=True):
        if not np.isfinite(row).all():
            raise RosettaError(
                f"What {wanted.name} says to {sample} is no finite number (NaN or infinite).",
                "The weights' values are so large that float32 can't hold the result: train anew.",
            )
    found = []
    for sample, row, said in zip(texts, softmax(logits), notes, strict=True):
        best = np.argsort(-row, kind="stable")[:top]
        found.append(Prediction(sample, tuple((names[index], float(row[index])) for index in best), said))
    return found


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities, (n, classes), of logits."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _named(weights: Weights, what: str, least: int, most: int) -> list[str]:
    """Return the names that the weights' file gives in its metadata."""
    try:
        names = json.loads(weights.about.get(what, "[]"))
    except (ValueError, RecursionError):  # RecursionError: lists in lists, a thousand deep
        names = None
    if isinstance(names, list) and least <= len(names) <= most and all(_is_name(name) for name in names):
        return names
    raise RosettaError(
        f"The weights' file doesn't name the {what}.", "rosetta train --save writes them, where the data set has them."
    )


def _is_name(name: object) -> bool:
    """Whether it is text, of a length that can be shown, without halves of surrogate pairs."""
    if not isinstance(name, str) or len(name) > _LONGEST_NAME:
        return False
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _distinct(names: Sequence[str]) -> list[str]:
    """Return the names, each that several classes have followed by the class's number, the first being 0."""
    found = list(names)
    while repeated := {name for name, count in Counter(found).items() if count > 1}:
        found = [f"{name} ({number})" if name in repeated else name for number, name in enumerate(found)]
    return found


def _texts(weights: Weights, texts: Sequence[str]) -> tuple[Inputs, list[tuple[str, ...]]]:
    """Return the texts as the network's inputs, (n, …) each, and what is to be said of each text."""
    workload = weights.workload
    read_text = datasets()[workload.dataset].read_text
    assert read_text is not None, "its samples are no words"
    known = next(p.shape[0] for p in workload.parameters if p.kind == "embedding_weight")
    vocabulary = _named(weights, "vocabulary", 1, known)
    words = Counter(filter(None, vocabulary))
    if twice := [word for word, count in words.items() if count > 1]:
        raise RosettaError(f"The weights' file has {twice[0]!r} twice in its vocabulary.", "Train anew.")
    for text in texts:
        if os.path.isfile(text):
            raise RosettaError(
                f"{text} is a file; {workload.name} takes the text itself.", f'Such as "$(cat {shlex.quote(text)})".'
            )
    read = [read_text(text, vocabulary) for text in texts]
    inputs = tuple(np.stack(arrays) for arrays in zip(*(one.inputs for one in read), strict=True))
    return inputs, [one.notes for one in read]


def _pictures(workload: Workload, files: Sequence[str]) -> tuple[Inputs, list[tuple[str, ...]]]:
    """Return the files' pictures as the network's one input, (n, …), scaled, and what is to be said of each."""
    dataset = datasets()[workload.dataset]
    (array,), (given,) = dataset.inputs, workload.inputs
    pictures = [read_picture(Path(file), array.shape) for file in files]
    pixels = np.stack([picture.pixels for picture in pictures])
    scaled = (pixels.astype(np.float32) * np.float32(dataset.scale)).reshape(len(files), *given.shape)
    return (scaled,), [picture.notes for picture in pictures]
