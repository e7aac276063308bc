"""The proof's check of loaders on simulated ones: it passes right ones and catches each fault, without a framework."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from rosetta.contenders.manifest import Tolerances
from rosetta.proof.further import loader_chances as chances
from rosetta.proof.further.loader import EPOCH_STEPS, FALSE_ALARMS, LEFT_OVER, LoaderCheck
from rosetta.proof.further.recognition import Recogniser, allowed_changes, random_images
from rosetta.proof.observer import Observer
from rosetta.record.result import Check
from rosetta.workloads import find_workload
from rosetta.workloads.spec import Augmentation
from rosetta_worker.batches import Batches, augmented

WORKLOAD = find_workload("cifar10_keras_cnn_loader")
SIZE = WORKLOAD.batch_size
EPOCH = EPOCH_STEPS * SIZE
SAMPLES = EPOCH + LEFT_OVER
SCALE = 1 / 255
PARAMETERS = WORKLOAD.initial_parameters(1)

Arrays = tuple[np.ndarray, np.ndarray]


class Simulated:
    """A worker with a right loader and a toy network, whose one parameter remembers in which step it saw what.

    A fault is a subclass that does one thing differently.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.timeouts = SimpleNamespace(proving=1.0)
        self.worker = SimpleNamespace(alive=True)
        data = {"scale": SCALE, "test_inputs": [], "test_labels": str(folder / "test.npy"), "order": ""}
        np.save(folder / "test.npy", np.zeros(1, np.int64))
        self.prepared = SimpleNamespace(workload=WORKLOAD, folder=folder, seed=seed, data=data, parameters=PARAMETERS)
        self.client = self
        self.batches: Iterator[Arrays] = iter(())

    # The client's part.

    def abilities(self) -> set[str]:
        return {"loaded"}

    def load_parameters(self, file: Path) -> None:
        with np.load(file) as given:
            self.given = dict(given)
        self.parameter = 0.0

    def parameters(self) -> dict[str, np.ndarray]:
        """One of them is trained, a number that tells all that was trained on, and in which order."""
        return {name: value + self.parameter * (name == "dense2.bias") for name, value in self.given.items()}

    def use_data(self, data: dict[str, Any]) -> None:
        if not data["order"] and "train_inputs" not in data:
            return
        self.images, self.labels = np.load(data["train_inputs"][0]), np.load(data["train_labels"])
        if data["order"]:
            self.host = Batches(data, WORKLOAD.to_worker())
        self.batches = self.endless()

    def loaded(self, steps: int) -> Arrays:
        images, labels = zip(*(next(self.batches) for _ in range(steps)), strict=True)
        return np.stack(images), np.stack(labels)

    def run(self, first: int, steps: int, timeout: float) -> None:
        for _ in range(steps):
            self.step(*next(self.batches))

    def train(self, first: int, steps: int) -> None:
        (images,), labels = self.host.training(first, steps)
        for batch in zip(images, labels, strict=True):
            self.step(*batch)

    def step(self, images: np.ndarray, labels: np.ndarray) -> None:
        # Every step counts, as dark images train a network's last biases too.
        self.parameter = 0.9 * getattr(self, "parameter", 0.0) + 1.0 + float(images.mean()) + float(labels.mean())

    # The loader.

    def endless(self) -> Iterator[Arrays]:
        while True:
            order = self.order()
            for start in range(0, len(order) - SIZE + 1, SIZE):
                chosen = order[start : start + SIZE]
                yield self.changed(self.images[chosen], chosen), self.labels[chosen]

    def order(self) -> np.ndarray:
        return self.rng.permutation(len(self.images))

    def changes(self, chosen: np.ndarray) -> np.ndarray:
        count = len(chosen)
        return np.stack([*self.rng.integers(-3, 4, (2, count)), self.rng.integers(0, 2, count)], axis=1)

    def changed(self, images: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        return augmented(images, self.changes(chosen)).astype(np.float32) / 255


class BeginsAnew(Simulated):
    """As Keras' fit does: a right loader too."""

    def loaded(self, steps: int) -> Arrays:
        self.batches = self.endless()
        return super().loaded(steps)

    def run(self, first: int, steps: int, timeout: float) -> None:
        self.batches = self.endless()
        super().run(first, steps, timeout)


class LeavesNothingOut(Simulated):
    """As Chainer's iterators do, whose batches go across the end of an epoch: a right loader too."""

    def endless(self) -> Iterator[Arrays]:
        rest = np.empty(0, np.int64)
        while True:
            order = np.concatenate([rest, self.order()])
            whole, rest = np.split(order, [len(order) // SIZE * SIZE])
            for chosen in whole.reshape(-1, SIZE):
                yield self.changed(self.images[chosen], chosen), self.labels[chosen]


class LeavesNothingOutAndTrainsOnOthers(LeavesNothingOut):
    def run(self, first: int, steps: int, timeout: float) -> None:
        others = self.endless()
        for _ in range(steps):
            self.step(*next(others))


class BeginsAnewWithWhatWasReadAhead(BeginsAnew):
    """A shuffled epoch is cut short by ten batches of the one before."""

    def endless(self) -> Iterator[Arrays]:
        ahead = getattr(self, "ahead", [])
        batches = super().endless()
        self.ahead = [next(super(BeginsAnewWithWhatWasReadAhead, self).endless()) for _ in range(10)]
        yield from ahead
        yield from batches


class Unscaled(Simulated):
    def changed(self, images: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        return 255 * super().changed(images, chosen)


class ScaledALittleDifferently(Simulated):
    def changed(self, images: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        return super().changed(images, chosen) * np.float32(255 / 256)


class EdgesNotRepeated(Simulated):
    def changed(self, images: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        padded = np.pad(images, ((0, 0), (0, 0), (3, 3), (3, 3)))
        return augmented(padded, self.changes(chosen))[..., 3:-3, 3:-3].astype(np.float32) / 255


class MirroredUpsideDownOnceInAHundred(Simulated):
    def changed(self, images: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        images = super().changed(images, chosen)
        rare = self.rng.random(len(images)) < 0.01
        images[rare] = images[rare][:, :, ::-1]
        return images


class ShiftedTooFar(Simulated):
    def changes(self, chosen: np.ndarray) -> np.ndarray:
        return np.concatenate([self.rng.integers(-4, 5, (len(chosen), 2)), super().changes(chosen)[:, 2:]], axis=1)


class NotChanged(Simulated):
    def changes(self, chosen: np.ndarray) -> np.ndarray:
        return np.zeros((len(chosen), 3), np.int64)


class MirroredTooSeldom(Simulated):
    def changes(self, chosen: np.ndarray) -> np.ndarray:
        return np.concatenate([super().changes(chosen)[:, :2], self.rng.random((len(chosen), 1)) < 0.4], axis=1)


class ShiftedAlongTheDiagonal(Simulated):
    def changes(self, chosen: np.ndarray) -> np.ndarray:
        return super().changes(chosen)[:, [0, 0, 2]]


class ChangedAlikeInABatch(Simulated):
    def changes(self, chosen: np.ndarray) -> np.ndarray:
        return np.tile(super().changes(chosen)[:1], (len(chosen), 1))


class ChangedOnceForAllEpochs(Simulated):
    def changes(self, chosen: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(5)
        fixed = np.concatenate([rng.integers(-3, 4, (SAMPLES, 2)), rng.integers(0, 2, (SAMPLES, 1))], axis=1)
        return fixed[chosen]


class TwoProcessesWithOneSeed(Simulated):
    def changes(self, chosen: np.ndarray) -> np.ndarray:
        self.calls = getattr(self, "calls", -1) + 1
        if self.calls % 2 == 0:
            self.last = super().changes(chosen)
        return self.last


class LabelsOfTheNext(Simulated):
    def loaded(self, steps: int) -> Arrays:
        images, labels = super().loaded(steps)
        return images, np.roll(labels, 1)


class OneLabelWrong(Simulated):
    def loaded(self, steps: int) -> Arrays:
        images, labels = super().loaded(steps)
        labels[0, 0] = (labels[0, 0] + 1) % 10
        return images, labels


class HalfAnEpoch(Simulated):
    def order(self) -> np.ndarray:
        return super().order()[: SAMPLES // 2]


class OnlyHalfOfThem(Simulated):
    def order(self) -> np.ndarray:
        return self.rng.permutation(max(SIZE, len(self.images) // 2))


class OneCachedBatch(Simulated):
    def endless(self) -> Iterator[Arrays]:
        batch = next(super().endless())
        while True:
            yield batch


class DrawnWithReplacement(Simulated):
    def order(self) -> np.ndarray:
        return self.rng.integers(0, len(self.images), len(self.images))


class NeverShuffled(Simulated):
    def order(self) -> np.ndarray:
        return np.arange(len(self.images))


class ShuffledOnce(Simulated):
    def order(self) -> np.ndarray:
        return np.random.default_rng(7).permutation(len(self.images))


class BatchesShuffledNotSamples(Simulated):
    def order(self) -> np.ndarray:
        whole = np.arange(len(self.images) // SIZE * SIZE).reshape(-1, SIZE)
        return self.rng.permutation(whole).ravel()


class ShuffledWithinABuffer(Simulated):
    def order(self) -> np.ndarray:
        return np.argsort(np.arange(len(self.images)) + self.rng.uniform(0, 200, len(self.images)))


class AlwaysTheSameLeftOut(Simulated):
    def order(self) -> np.ndarray:
        return self.rng.permutation(len(self.images) // SIZE * SIZE)


class TrainsOnOthers(Simulated):
    def run(self, first: int, steps: int, timeout: float) -> None:
        others = self.endless()
        for _ in range(steps):
            self.step(*next(others))


class TakesTwoForOne(Simulated):
    def run(self, first: int, steps: int, timeout: float) -> None:
        for _ in range(steps):
            next(self.batches)
            self.step(*next(self.batches))


class TrainsOnTheFirst(Simulated):
    def run(self, first: int, steps: int, timeout: float) -> None:
        batches = [next(self.batches) for _ in range(steps)]
        for _ in range(steps):
            self.step(*batches[0])


class StopsAfterTwo(Simulated):
    def run(self, first: int, steps: int, timeout: float) -> None:
        batches = [next(self.batches) for _ in range(steps)]
        for batch in batches[:2]:
            self.step(*batch)


class OtherShape(Simulated):
    def loaded(self, steps: int) -> Arrays:
        images, labels = super().loaded(steps)
        return images.transpose(0, 1, 3, 4, 2), labels


class TooFewBatches(Simulated):
    def loaded(self, steps: int) -> Arrays:
        return super().loaded(max(1, steps // 2))


class CannotShow(Simulated):
    def abilities(self) -> set[str]:
        return {"open_files", "train_from_files"}


FAULTS: dict[type[Simulated], str] = {
    Unscaled: "images",
    ScaledALittleDifferently: "images",
    EdgesNotRepeated: "images",
    MirroredUpsideDownOnceInAHundred: "images",
    ShiftedTooFar: "images",
    OtherShape: "images",
    TooFewBatches: "images",
    NotChanged: "changes",
    MirroredTooSeldom: "changes",
    ShiftedAlongTheDiagonal: "changes",
    ChangedAlikeInABatch: "changes",
    ChangedOnceForAllEpochs: "changes",
    TwoProcessesWithOneSeed: "changes",
    LabelsOfTheNext: "labels",
    OneLabelWrong: "labels",
    HalfAnEpoch: "epochs",
    OnlyHalfOfThem: "epochs",
    OneCachedBatch: "epochs",
    DrawnWithReplacement: "epochs",
    TrainsOnOthers: "epochs",
    TakesTwoForOne: "epochs",
    LeavesNothingOutAndTrainsOnOthers: "epochs",
    BeginsAnewWithWhatWasReadAhead: "epochs",
    NeverShuffled: "order",
    ShuffledOnce: "order",
    BatchesShuffledNotSamples: "order",
    ShuffledWithinABuffer: "order",
    AlwaysTheSameLeftOut: "order",
    TrainsOnTheFirst: "training",
    StopsAfterTwo: "training",
}


def check(loader: type[Simulated], folder: Path, seed: int = 1) -> list[Check]:
    """Have the check observe a simulated worker and judge it."""
    observer = cast(Observer, loader(folder, seed))
    return LoaderCheck().compare(LoaderCheck().observe(observer), {}, WORKLOAD, Tolerances())


def failing(checks: list[Check]) -> set[str]:
    return {c.name.removeprefix("loader: ") for c in checks if c.error is None or c.error > c.tolerance}


@pytest.mark.parametrize("loader", [Simulated, BeginsAnew, LeavesNothingOut])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_right_loader_passes(loader: type[Simulated], seed: int, tmp_path: Path) -> None:
    checks = check(loader, tmp_path, seed)
    assert [c.name for c in checks] == [
        f"loader: {what}" for what in ("images", "labels", "epochs", "order", "changes", "training")
    ]
    assert not failing(checks), checks


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_loader_is_caught(fault: type[Simulated], tmp_path: Path) -> None:
    assert FAULTS[fault] in failing(check(fault, tmp_path))


def test_a_loader_that_cannot_be_seen_fails_with_the_remedy(tmp_path: Path) -> None:
    (only,) = check(CannotShow, tmp_path)
    assert only.error is None
    assert "no method loaded" in only.detail and "docs/framework.md" in only.detail


def test_what_it_opened_it_closes(tmp_path: Path) -> None:
    """The workload's data are taken again, and the files are gone, also where the loader fails."""

    class Fails(Simulated):
        def loaded(self, steps: int) -> Arrays:
            raise RuntimeError("no more")

        def use_data(self, data: dict[str, Any]) -> None:
            super().use_data(data)
            self.used = data

    worker = Fails(tmp_path, 1)
    with pytest.raises(RuntimeError, match="no more"):
        LoaderCheck().observe(cast(Observer, worker))
    assert worker.used == worker.prepared.data
    assert [path.name for path in tmp_path.iterdir()] == ["test.npy"]


def test_it_applies_to_workloads_with_a_loader_of_their_own() -> None:
    assert LoaderCheck().applies(WORKLOAD)
    assert not LoaderCheck().applies(find_workload("cifar10_keras_cnn"))


@pytest.mark.parametrize("augmentation", [WORKLOAD.augmentation, Augmentation(2, False), None])
def test_each_image_is_recognised_under_each_change(augmentation: Augmentation | None) -> None:
    known = random_images(WORKLOAD, 5, np.random.default_rng(0))
    allowed = allowed_changes(augmentation)
    shift, flip = (augmentation.shift, augmentation.flip) if augmentation else (0, False)
    assert len(np.unique(allowed, axis=0)) == len(allowed) == (2 * shift + 1) ** 2 * (1 + flip)
    sample, change = np.repeat(np.arange(5), len(allowed)), np.tile(allowed, (5, 1))
    delivered = augmented(known.images[sample], change).astype(np.float32) / 255
    recogniser = Recogniser(known, SCALE, augmentation)
    found = recogniser.recognise(delivered)
    assert (found.sample == sample).all() and (found.change == change).all() and (found.difference < 1e-6).all()
    strange = recogniser.recognise(1 - delivered)
    assert (strange.sample == -1).all() and np.isnan(strange.difference).all()


def right_orders(rng: np.random.Generator) -> list[chances.Chance]:
    return chances.of_orders([rng.permutation(SAMPLES)[:EPOCH] for _ in range(2)], SAMPLES, SIZE)


def right_changes(rng: np.random.Generator) -> list[chances.Chance]:
    allowed = allowed_changes(WORKLOAD.augmentation)
    change = allowed[rng.integers(0, len(allowed), 3 * EPOCH)]
    sample = np.concatenate([rng.permutation(SAMPLES)[:EPOCH] for _ in range(3)])
    return chances.of_changes(change, sample, allowed, SIZE, EPOCH)


@pytest.mark.parametrize("right", [right_orders, right_changes])
def test_false_alarms_are_as_rare_as_stated(right: Callable[[np.random.Generator], list[chances.Chance]]) -> None:
    """Of 400 right loaders a test finds about one in 20 less probable than 5 %, and none anywhere near the limit.

    Where values are counts a probability is an upper bound, so there may be fewer.
    """
    rng = np.random.default_rng(3)
    found = np.array([[chance.probability for chance in right(rng)] for _ in range(400)])
    assert ((found < 0.05).mean(axis=0) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)).all()
    assert ((found < 0.05).mean(axis=0)[:-1] > 0.005).all(), "a test that is never near cannot fail"
    assert found.min() > FALSE_ALARMS


def test_a_worker_that_died_is_not_asked_again(tmp_path: Path) -> None:
    class Dies(Simulated):
        def loaded(self, steps: int) -> Arrays:
            self.worker = SimpleNamespace(alive=False)
            raise RuntimeError("died")

        def use_data(self, data: dict[str, Any]) -> None:
            assert self.worker.alive
            super().use_data(data)

    with pytest.raises(RuntimeError, match="died"):
        LoaderCheck().observe(cast(Observer, Dies(tmp_path, 1)))
