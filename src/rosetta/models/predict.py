"""Asks a trained network, in any framework that has it, about samples of the user's own."""

import json
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


@dataclass(frozen=True)
class Prediction:
    """What a network says to one sample: the likeliest classes with their probabilities, the likeliest first."""

    sample: str
    classes: tuple[tuple[str, float], ...]


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
    read, or the weights' file doesn't name classes or words.
    """
    if not isinstance(weights, Weights):
        weights = load_weights(weights)
    texts = [str(sample) for sample in ([samples] if isinstance(samples, str | Path) else samples)]
    wanted = chosen(contender or weights.contender, frameworks, device)
    workload = weights.workload
    if not workload.trains:
        raise RosettaError(f"{workload.name} has no classes: its network only makes features.")
    (count,) = workload.output_shape
    names = _named(weights, "classes", count, count)
    read_text = datasets()[workload.dataset].read_text
    if read_text:
        known = next(p.shape[0] for p in workload.parameters if p.kind == "embedding_weight")
        vocabulary = _named(weights, "vocabulary", 1, known)
        read = [read_text(text, vocabulary) for text in texts]
        inputs = tuple(np.stack(arrays) for arrays in zip(*read, strict=True))
    else:
        inputs = _pictures(workload, [Path(text) for text in texts])
    with worker_session(wanted, weights.workload) as client:
        client.load_parameters(weights.parameters)
        probabilities = softmax(client.outputs(inputs))
    found = []
    for sample, row in zip(texts, probabilities, strict=True):
        best = np.argsort(-row, kind="stable")[:top]
        found.append(Prediction(sample, tuple((names[index], float(row[index])) for index in best)))
    return found


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities, (n, classes), of logits."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _named(weights: Weights, what: str, least: int, most: int) -> list[str]:
    """Return the names that the weights' file gives in its metadata."""
    try:
        names = json.loads(weights.about.get(what, "[]"))
    except ValueError:
        names = None
    if isinstance(names, list) and least <= len(names) <= most and all(isinstance(name, str) for name in names):
        return names
    raise RosettaError(
        f"The weights' file doesn't name the {what}.", "rosetta train --save writes them, where the data set has them."
    )


def _pictures(workload: Workload, files: Sequence[Path]) -> tuple[NDArray[Any], ...]:
    """Return the files' pictures as the network's one input, (n, …), scaled."""
    dataset = datasets()[workload.dataset]
    (array,), (given,) = dataset.inputs, workload.inputs
    pixels = np.stack([read_picture(file, array.shape) for file in files])
    return ((pixels.astype(np.float32) * np.float32(dataset.scale)).reshape(len(files), *given.shape),)
