"""The framework's own loader: delivers every sample once an epoch, rightly changed, and what it delivers is trained on.

The host makes a small data set whose images can be told apart under every allowed change, and has the loader read that
in place of the workload's. A second one, of one image over and over and a single other, shows by the parameters in
which step the other was trained on: constant images stay the same however they are shifted and mirrored. All of a
constant image's windows tie in a max pooling, so that rounding would choose where the gradient goes: the network is
given parameters with which it has nothing to round there.
"""

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.client import Arrays
from rosetta.proof.errors import worst
from rosetta.proof.further import loader_chances as chances
from rosetta.proof.further.check import Moment
from rosetta.proof.further.recognition import ImageSet, Recogniser, allowed_changes, random_images
from rosetta.proof.observer import Observer, difference
from rosetta.record.result import Check
from rosetta.workloads.spec import Workload

EPOCH_STEPS = 40
"""Whole batches in an epoch of the small data set."""
LEFT_OVER = 7
"""Samples that it has beyond them: too few for a batch."""
TRAINED_STEPS = 3
"""Batches in an epoch of the second one, all of which are trained on by one call."""
FALSE_ALARMS = 1e-6
"""How probable it is that a right loader fails one of the tests of its random numbers."""
PIXEL_TOLERANCE = 1e-5
"""Of a pixel scaled to 0 … 1."""
_NONE = 1e-6
"""A share of samples that is none of them."""
_DARK, _BRIGHT = 0, 255
_MISSING = "a trainer that has no method loaded to show what it delivers: docs/framework.md"


class LoaderCheck:
    """What the loader delivers in some calls, and what training on it does."""

    name = "loader"
    moment: Moment = "plain"
    unseen = ""
    version = 2

    def applies(self, workload: Workload) -> bool:
        """Whether each framework uses its own loader."""
        return workload.own_loader and workload.trains

    def observe(self, observer: Observer) -> Arrays:
        """Ask for two epochs in one call each, then a batch, a training step, and what is left of the third.

        Nothing comes back from a trainer that can't show what its loader delivers; the reference has no loader.
        """
        client, prepared = observer.client, observer.prepared
        if "loaded" not in client.abilities():
            return {}
        rng = np.random.default_rng([prepared.seed, len(self.name)])
        with tempfile.TemporaryDirectory(prefix="loader-", dir=prepared.folder) as folder:
            try:
                seen = _delivered(observer, Path(folder), rng)
                return seen if "shape" in seen else seen | {"training": _trained(observer, Path(folder), rng)}
            finally:
                if client.worker.alive:
                    client.use_data(prepared.data)

    def compare(self, found: Arrays, expected: Arrays, workload: Workload, tolerances: Tolerances) -> list[Check]:
        """Judge by what the host knows of its images; the reference has no part in that."""
        if not found:
            return [Check(name="loader", error=None, tolerance=_NONE, detail=_MISSING)]
        if "shape" in found:
            shape, wanted = tuple(found["shape"].tolist()), tuple(found["wanted"].tolist())
            detail = f"delivers images of shape {shape}, not {wanted}: batches, samples in each, channels first"
            return [Check(name="loader: images", error=None, tolerance=PIXEL_TOLERANCE, detail=detail)]
        known = found["sample"] >= 0
        return [
            _images(found, known),
            _labels(found, known),
            _epochs(found["call"], found["sample"], workload.batch_size),
            *_random(found, known, workload),
            _training(found["training"], tolerances),
        ]


def _delivered(observer: Observer, folder: Path, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Return what came in each call: ``call``, ``sample``, ``change``, ``difference``, ``label`` and ``wanted_label``.

    One row for each image, in order. Where arrays of another shape came, it returns ``shape`` and ``wanted``.
    """
    client, prepared = observer.client, observer.prepared
    workload = prepared.workload
    known = random_images(workload, EPOCH_STEPS * workload.batch_size + LEFT_OVER, rng)
    recogniser = Recogniser(known, float(prepared.data["scale"]), workload.augmentation)
    client.use_data(dict(prepared.data) | known.write(folder, "recognised"))
    rows = []
    for call, steps in enumerate((EPOCH_STEPS, EPOCH_STEPS, 1, EPOCH_STEPS - 1)):
        if call == 3:
            client.run(0, 1, client.timeouts.proving)
        images, labels = client.loaded(steps)
        wanted = (steps, workload.batch_size, *workload.inputs[0].shape)
        if images.shape != wanted or labels.shape != wanted[:2]:
            odd = images.shape if images.shape != wanted else labels.shape
            return {"shape": np.array(odd), "wanted": np.array(wanted[: len(odd)])}
        images, labels = images.reshape(-1, *wanted[2:]), labels.reshape(-1).astype(np.int64)
        seen = recogniser.recognise(images)
        rows.append(
            {
                "call": np.full(len(labels), call),
                "sample": seen.sample,
                "change": seen.change,
                "difference": seen.difference,
                "label": labels,
                "wanted_label": known.labels[seen.sample],
                "low": images.min(axis=(1, 2, 3)),
                "high": images.max(axis=(1, 2, 3)),
            }
        )
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _trained(observer: Observer, folder: Path, rng: np.random.Generator) -> NDArray[np.float64]:
    """Train on an epoch of the loader by one call; return how far that is from each thing it may rightly do.

    That is, on the host's batches, to have met the one other image in the first, the second … step: the relative L2
    error of the tensor that agrees least, (steps,).
    """
    client, prepared = observer.client, observer.prepared
    size = prepared.workload.batch_size
    samples, classes = TRAINED_STEPS * size, prepared.workload.output_shape[0]
    images = np.full((samples, *prepared.workload.inputs[0].shape), _DARK, np.uint8)
    labels = np.zeros(samples, np.int64)
    other = int(rng.integers(samples))
    images[other], labels[other] = _BRIGHT, classes - 1
    # Each possibility is an epoch of the host's order: the other image leads one of the batches.
    order = np.full((TRAINED_STEPS, TRAINED_STEPS, size), (other + 1) % samples)
    order[np.arange(TRAINED_STEPS), np.arange(TRAINED_STEPS), 0] = other
    np.save(folder / "order.npy", order.reshape(-1, 1).astype(np.int32))
    written = ImageSet(images, labels).write(folder, "constant")
    client.use_data(dict(prepared.data) | written | {"order": str(folder / "order.npy")})
    parameters = _telling(prepared.workload, prepared.parameters)
    given = folder / "parameters.npz"
    np.savez(given, allow_pickle=False, **parameters)
    client.load_parameters(given)
    client.run(0, TRAINED_STEPS, client.timeouts.proving)
    found = difference(client.parameters(), parameters)
    errors = []
    for number in range(TRAINED_STEPS):
        client.load_parameters(given)
        client.train(number * TRAINED_STEPS, TRAINED_STEPS)
        error = worst(found, difference(client.parameters(), parameters), 0.0).error
        errors.append(np.nan if error is None else error)
    return np.array(errors)


def _telling(workload: Workload, canonical: Arrays) -> Arrays:
    """Return parameters that tell the bright image from the dark ones, without a sum that is rounded before the pools.

    A convolution passes twice its input's first channel on, less a half: of a dark image no unit is live, and all of
    a bright one's are the same small number. The first dense layer begins with no weights: no gradient reaches the
    convolutions, and the step that meets the bright image is the one that gives it some.
    """
    parameters = {name: np.array(value) for name, value in canonical.items()}
    first = next(p.name for p in workload.parameters if p.kind == "dense_weight")
    parameters[first][:] = 0
    for parameter in workload.parameters:
        value = parameters[parameter.name]
        if parameter.kind == "conv2d_weight":
            value[:] = 0
            value[:, 0, value.shape[2] // 2, value.shape[3] // 2] = 2
        elif parameter.kind == "bias":
            value[:] = -0.5 if parameters[parameter.name.replace(".bias", ".weight")].ndim > 2 else 0.5
    return parameters


def _images(found: Arrays, known: NDArray[np.bool_]) -> Check:
    strange = int((~known).sum())
    if strange:
        low, high = float(found["low"].min()), float(found["high"].max())
        detail = (
            f"{strange:,} of {len(known):,} delivered images are none of the data set's, shifted and mirrored as they "
            f"may be; pixels from {low:.3g} to {high:.3g}"
        )
        return Check(name="loader: images", error=None, tolerance=PIXEL_TOLERANCE, detail=detail)
    difference = float(found["difference"].max())
    error = difference if math.isfinite(difference) else None
    return Check(name="loader: images", error=error, tolerance=PIXEL_TOLERANCE, detail="the pixel farthest off")


def _labels(found: Arrays, known: NDArray[np.bool_]) -> Check:
    wrong = int((found["label"] != found["wanted_label"])[known].sum())
    detail = f"{wrong:,} of {int(known.sum()):,} labels are wrong"
    error = wrong / int(known.sum()) if known.any() else None
    return Check(name="loader: labels", error=error, tolerance=_NONE, detail=detail)


def _epochs(call: NDArray[np.int64], sample: NDArray[np.int64], size: int) -> Check:
    """Whether each epoch has every sample once, and a training step takes one batch of the same loader.

    What is left over for a smaller batch may be left out, or begin the next epoch's first batch, as Chainer has it.
    """
    per_epoch = EPOCH_STEPS * size
    place = np.arange(len(sample)) + size * (call == 3)  # among all the loader's samples; one batch was trained on
    ways = {period: _repeated(place // period, sample) for period in (per_epoch, per_epoch + LEFT_OVER)}
    nothing_taken = min(_repeated(np.arange(len(sample)) // period, sample) for period in ways) == 0
    if len(np.intersect1d(sample[call == 2], sample[call == 3][:-size])):
        ways[0] = _repeated(call, sample)  # each call begins a new epoch, as Keras' fit does
    repeated = min(ways.values())
    detail = f"{repeated:,} of {len(sample):,} samples come a second time in their epoch"
    if nothing_taken:
        repeated, detail = size, "a training step takes no batch from the loader"
    elif not repeated:
        detail = "every sample once"
    return Check(name="loader: epochs", error=repeated / per_epoch, tolerance=_NONE, detail=detail)


def _repeated(epoch: NDArray[np.int64], sample: NDArray[np.int64]) -> int:
    """Count the recognised samples that come a second time in an epoch."""
    known = sample >= 0
    return int(known.sum()) - len(np.unique(np.stack([epoch[known], sample[known]], axis=1), axis=0))


def _random(found: Arrays, known: NDArray[np.bool_], workload: Workload) -> list[Check]:
    """Test the order and the changes together: one of all these tests fails by chance once in 1 / ``FALSE_ALARMS``."""
    call, sample = found["call"], found["sample"]
    size = workload.batch_size
    names = ["loader: order", *(["loader: changes"] if workload.augmentation else [])]
    if not known.all():
        limit, detail = -math.log10(FALSE_ALARMS), "not all images are recognised"
        return [Check(name=name, error=None, tolerance=limit, detail=detail) for name in names]
    groups = [chances.of_orders([sample[call == 0], sample[call == 1]], EPOCH_STEPS * size + LEFT_OVER, size)]
    if workload.augmentation:
        allowed = allowed_changes(workload.augmentation)
        groups.append(chances.of_changes(found["change"], sample, allowed, size, EPOCH_STEPS * size))
    limit = -math.log10(FALSE_ALARMS / sum(map(len, groups)))
    checks = []
    for name, group in zip(names, groups, strict=True):
        chance = min(group)
        error = -math.log10(max(chance.probability, 1e-300))
        checks.append(Check(name=name, error=error, tolerance=limit, detail=chance.words))
    return checks


def _training(errors: NDArray[np.float64], tolerances: Tolerances) -> Check:
    nearest = float(errors.min())
    detail = f"an epoch by one call, against the same {len(errors)} batches one after the other"
    error = nearest if math.isfinite(nearest) else None
    return Check(name="loader: training", error=error, tolerance=tolerances.update, detail=detail)
