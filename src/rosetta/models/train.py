"""Trains one contender's network, epoch by epoch, and keeps its weights."""

import contextlib
import dataclasses
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rosetta import datasets
from rosetta.contenders.contender import Contender
from rosetta.contenders.device import Wanted
from rosetta.contenders.hints import hints
from rosetta.contenders.placement import check_replicas, chosen
from rosetta.environments.client import Client
from rosetta.environments.variables import check_seed
from rosetta.errors import RosettaError
from rosetta.models.checkpoint import Checkpoint, EpochEnd, alone, load_checkpoint, save_checkpoint
from rosetta.models.session import float32, temporary_folder, worker_session
from rosetta.models.weights import Weights, check_target, identity, save_weights
from rosetta.paths import cache_folder, data_folder
from rosetta.workloads import find_workload
from rosetta.workloads.order import training_data
from rosetta.workloads.spec import Workload

_CALL_SECONDS = 1.0
"""How long the calls of the worker should take, between which progress is reported."""


@dataclass(frozen=True)
class Progress:
    """Where a training stands, after some of its steps."""

    epoch: int
    """The current one; the first is 1."""
    epochs: int
    steps: int
    """Done in this epoch."""
    steps_per_epoch: int
    loss: float
    """Mean over this epoch's steps so far."""
    samples_per_second: float
    seconds_left: float
    losses: tuple[float, ...]
    """Of the steps since the last report; a framework whose loop reports only their mean has that one."""


class TrainingObserver:
    """What a caller may watch; every method may be left as it is."""

    def say(self, sentence: str) -> None:
        """Take a sentence about what is being prepared."""

    def progress(self, progress: Progress) -> None:
        """Take where the training stands, about every second."""

    def epoch(self, end: EpochEnd) -> None:
        """Take what came of an epoch."""


def train(
    workload: str | Workload,
    contender: str | Contender,
    *,
    epochs: int | None = None,
    batch_size: int | None = None,
    device: Wanted = "auto",
    replicas: int = 1,
    data: str | Path | None = None,
    data_as_is: bool = False,
    frameworks: str | Path | Iterable[str | Path] = (),
    seed: int = 1,
    save: str | Path | None = None,
    checkpoint: Path | None = None,
    observers: Sequence[TrainingObserver] = (),
) -> Weights:
    """Train for so many epochs, by default the published ones, and return the weights with what they came from.

    A step takes ``batch_size`` samples, by default the workload's, which the replicas share; ``device`` and
    ``replicas`` are those of a contender that is named without. ``data`` is by default the folder that
    ``ROSETTA_DATA`` names; with ``data_as_is`` what lies there need not be the original.

    Starts from the canonical parameters of the seed, in the seed's order of samples; or goes on from ``checkpoint``,
    which is written after every epoch, with the same result as without the interruption. ``save`` is the file for the
    weights; the checkpoint then is beside it, unless another is named, and gone in the end. Raises ``RosettaError``
    where the workload isn't trained, the contender can't, a file can't be written, the checkpoint is of another
    training, damaged, or further than ``epochs``, or the loss is no longer a finite number.
    """
    workload = find_workload(workload)
    contender = chosen(contender, frameworks, device, replicas)
    check_replicas(contender, workload, batch_size)
    if not workload.trains:
        raise RosettaError(f"{workload.name} isn't trained: its network only makes features.")
    if why := contender.why_not(workload.module):
        raise RosettaError(why)
    epochs = workload.epochs if epochs is None else epochs
    batch_size = workload.batch_size if batch_size is None else batch_size
    if epochs < 1 or batch_size < 1:
        raise RosettaError(f"{epochs} epochs of batches of {batch_size} are no training.", "Each is at least 1.")
    check_seed(seed)
    file = Path(save) if save is not None else None
    if file is not None:
        check_target(file)
    checkpoint = checkpoint or (file.with_name(f"{file.name}.checkpoint") if file else None)
    with contextlib.ExitStack() as held:
        if checkpoint is not None:
            check_target(checkpoint)
            held.enter_context(alone(checkpoint))
        return _train(
            workload,
            contender,
            epochs=epochs,
            batch_size=batch_size,
            data=data,
            data_as_is=data_as_is,
            seed=seed,
            file=file,
            checkpoint=checkpoint,
            observers=observers,
        )


def _train(
    workload: Workload,
    contender: Contender,
    *,
    epochs: int,
    batch_size: int,
    data: str | Path | None,
    data_as_is: bool,
    seed: int,
    file: Path | None,
    checkpoint: Path | None,
    observers: Sequence[TrainingObserver],
) -> Weights:
    """Do it, once all is known to be as it should be."""

    def say(sentence: str) -> None:
        for observer in observers:
            observer.say(sentence)

    for hint in hints([contender], [dataclasses.replace(workload, batch_size=batch_size)]):
        say(hint)
    prepared = datasets.prepare(workload.dataset, data_folder(data), cache_folder() / "data", as_is=data_as_is, say=say)
    run = {
        "workload": workload.name,
        "identity": identity(workload),
        "contender": contender.name,
        "seed": str(seed),
        "data": prepared.digest,
        "batch_size": str(batch_size),
    }
    start = load_checkpoint(checkpoint, run, workload) if checkpoint and checkpoint.exists() else None
    history = list(start.history) if start else []
    if len(history) > epochs:
        raise RosettaError(
            f"{checkpoint} has {len(history)} epochs, which is more than the {epochs} that are wanted.",
            f"Give --epochs {len(history)} or more to go on, delete it to begin anew, or --save elsewhere.",
        )
    with temporary_folder() as scratch:
        arrays, steps = training_data(workload, prepared, scratch / "order.npy", seed, batch_size)
        with worker_session(contender, workload, arrays, batch_size=batch_size, seed=seed) as client:
            resumable = _resumable(client, workload)
            if checkpoint and not resumable:
                say(f"{contender.name} can't be resumed on {workload.name}: an interruption loses all epochs.")
            client.load_parameters(start.parameters if start else workload.initial_parameters(seed))
            if start:
                client.load_optimizer_state(start.optimizer)
                say(f"Going on after epoch {len(history)}, from {checkpoint}")
            for epoch in range(len(history) + 1, epochs + 1):
                if resumable:
                    client.reseed(seed + epoch)
                history.append(_epoch(client, contender, epoch, epochs, steps, batch_size, observers))
                for observer in observers:
                    observer.epoch(history[-1])
                if checkpoint and resumable:
                    state = Checkpoint(run, tuple(history), client.parameters(), client.optimizer_state())
                    save_checkpoint(checkpoint, state)
            parameters = float32(client.parameters())
    about = {
        "contender": contender.name,
        "epochs": str(len(history)),
        "batch_size": str(batch_size),
        "seed": str(seed),
        "data": prepared.kind,
        "test_accuracy": f"{history[-1].accuracy:.4f}",
        "classes": json.dumps(prepared.class_names),
    }
    if prepared.vocabulary:
        about["vocabulary"] = json.dumps(prepared.vocabulary)
    weights = Weights(workload, parameters, about)
    if file is not None and checkpoint is not None:
        save_weights(file, weights)
        checkpoint.unlink(missing_ok=True)
    return weights


def _epoch(
    client: Client,
    contender: Contender,
    epoch: int,
    epochs: int,
    steps: int,
    batch_size: int,
    observers: Sequence[TrainingObserver],
) -> EpochEnd:
    done, losses, seconds, wall = 0, 0.0, 0.0, time.perf_counter()
    size = 1
    while done < steps:
        size = min(size, steps - done)
        first = (epoch - 1) * steps + done
        reply = client.run(first, size, client.timeouts.epoch)
        found = [loss for loss in reply.losses if loss is not None]
        if len(found) < len(reply.losses):
            raise RosettaError(
                f"The loss of {contender.name} is no finite number (NaN) in epoch {epoch}.",
                "That is a result too: another --seed may do better.",
            )
        done += size
        seconds += reply.seconds
        losses += float(np.mean(found)) * size
        elapsed = time.perf_counter() - wall
        left = elapsed / done * ((epochs - epoch + 1) * steps - done)
        rate = done * batch_size / elapsed
        progress = Progress(epoch, epochs, done, steps, losses / done, rate, left, tuple(found))
        for observer in observers:
            observer.progress(progress)
        size = max(1, round(size * min(4.0, _CALL_SECONDS / reply.seconds)))
    accuracy = client.accuracy()
    return EpochEnd(epoch, losses / steps, accuracy.correct / accuracy.count, seconds)


def _resumable(client: Client, workload: Workload) -> bool:
    """Whether a training can go on in another process as if it were this one."""
    # What a framework's own loader has read ahead isn't known to anybody else.
    return not workload.own_loader and client.abilities() >= {"reseed", "optimizer_state", "load_optimizer_state"}
