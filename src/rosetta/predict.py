"""Asks a trained network, in any framework that has it, about samples of the user's own."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.contenders import Contender
from rosetta.datasets import datasets
from rosetta.errors import RosettaError
from rosetta.pictures import read_picture
from rosetta.solo import solo
from rosetta.weights import Weights
from rosetta.workloads.spec import Workload


@dataclass(frozen=True)
class Prediction:
    """What a network says to one sample: the likeliest classes with their probabilities, the likeliest first."""

    sample: str
    classes: tuple[tuple[str, float], ...]


def predict(
    weights: Weights, samples: Sequence[str], contender: Contender, *, top: int = 3, device: str = "cpu"
) -> list[Prediction]:
    """Return the ``top`` classes of each picture file, by the weights' network in the contender's framework.

    Raises ``RosettaError`` where a file can't be read, the network takes no pictures or knows no classes.
    """
    names = _class_names(weights)
    inputs = _pictures(weights.workload, [Path(sample) for sample in samples])
    with solo(contender, weights.workload, device=device) as alone:
        alone.load_parameters(weights.parameters)
        probabilities = softmax(alone.outputs(inputs))
    found = []
    for sample, row in zip(samples, probabilities, strict=True):
        best = np.argsort(-row, kind="stable")[:top]
        found.append(Prediction(sample, tuple((names[index], float(row[index])) for index in best)))
    return found


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities, (n, classes), of logits."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _class_names(weights: Weights) -> list[str]:
    if not weights.workload.trains:
        raise RosettaError(f"{weights.workload.name} has no classes: its network only makes features.")
    names = json.loads(weights.about.get("classes", "[]"))
    (count,) = weights.workload.output_shape
    if not (isinstance(names, list) and len(names) == count and all(isinstance(name, str) for name in names)):
        raise RosettaError("The weights' file doesn't name the classes.", "rosetta train --save writes them.")
    return names


def _pictures(workload: Workload, files: Sequence[Path]) -> tuple[NDArray[Any], ...]:
    """Return the files' pictures as the network's one input, (n, …), scaled."""
    dataset = datasets()[workload.dataset]
    if any(given.kind != "pixels" for given in workload.inputs):
        raise RosettaError(
            f"{workload.name} takes {' and '.join(given.name for given in workload.inputs)}, no pictures."
        )
    (array,), (given,) = dataset.inputs, workload.inputs
    pixels = np.stack([read_picture(file, array.shape) for file in files])
    return ((pixels.astype(np.float32) * np.float32(dataset.scale)).reshape(len(files), *given.shape),)
