"""A proof's images without ties: the same ones, but for a noise that leaves no two pixels equal."""

from pathlib import Path

import numpy as np
import pytest

from rosetta.proof.dither import without_ties
from rosetta.proof.observe import candidates
from rosetta.workloads import find_workload
from rosetta.workloads.prepared import PreparedWorkload
from rosetta_worker.batches import Batches


def prepared(folder: Path, name: str, order_columns: int) -> tuple[PreparedWorkload, np.ndarray]:
    """Flat grey images, one grey level each, in an order that isn't their own."""
    workload = find_workload(name)
    shape = workload.inputs[0].shape
    images = np.full((20, *shape), 7, np.uint8) + np.arange(20, dtype=np.uint8).reshape(-1, *[1] * len(shape))
    order = np.zeros((candidates(workload) + 5, order_columns), np.int32)
    order[:, 0] = np.arange(len(order))[::-1] % 20
    order[:, 1:] = (2, -1, 1)[: order_columns - 1]
    files = {"images": images, "labels": np.arange(20, dtype=np.int64), "order": order}
    for file, array in files.items():
        np.save(folder / f"{file}.npy", array)
    data = {
        "train_inputs": [str(folder / "images.npy")],
        "train_labels": str(folder / "labels.npy"),
        "test_inputs": [str(folder / "images.npy")],
        "test_labels": str(folder / "labels.npy"),
        "order": str(folder / "order.npy"),
        "scale": 1 / 255,
        "digest": "flat",
    }
    return PreparedWorkload(workload, data, {}, folder, seed=1, steps_per_epoch=1), order


@pytest.mark.parametrize(("name", "order_columns"), [("cifar10_cnn", 1), ("cifar10_keras_cnn", 4)])
def test_hardly_two_pixels_of_an_image_are_equal_and_none_is_another_grey(
    name: str, order_columns: int, tmp_path: Path
) -> None:
    before, order = prepared(tmp_path, name, order_columns)
    after = without_ties(before)
    assert before.data["digest"] != after.data["digest"], "or one's reference would be taken for the other's"
    flat, uneven = (Batches(dict(m.data), m.workload.to_worker("float32", None)) for m in (before, after))
    size = before.workload.batch_size
    (expected,), labels = flat.training(0, 2)
    (noisy,), noisy_labels = uneven.training(0, 2)
    assert np.array_equal(labels, noisy_labels) and labels[0, 0] == order[0, 0]
    noise = (noisy - expected) * 255
    assert 0.49 < np.abs(noise).max() <= 0.5001
    assert abs(noise.mean()) < 0.01
    image = noisy[1, size - 1, 0]
    assert len(np.unique(image)) > 0.99 * image.size
    assert len(np.load(after.data["order"])) == candidates(before.workload)


def test_tokens_stay_as_they_are(tmp_path: Path) -> None:
    before, order = prepared(tmp_path, "imdb_gru", 1)
    after = without_ties(before)
    rows = order[: candidates(before.workload), 0]
    assert np.array_equal(np.load(after.data["train_inputs"][0]), np.load(before.data["train_inputs"][0])[rows])
