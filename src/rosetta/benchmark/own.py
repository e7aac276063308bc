"""A network of one's own made ready to be proven and timed: its samples, and what each worker is given of it."""

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rosetta.contenders.contender import Contender
from rosetta.contenders.manifest import Framework
from rosetta.environments.client import Arrays
from rosetta.errors import RosettaError
from rosetta.files import file_name
from rosetta.models.own_session import Asked, Carried
from rosetta.networks.folder import MANIFEST, OwnFolder, read_folder
from rosetta.networks.inputs import make_inputs, make_targets
from rosetta.networks.notation import OwnNetwork
from rosetta.networks.raced import OwnWorkload, own_workload, raced_network
from rosetta.networks.samples import make_samples
from rosetta.networks.texts import code_digest
from rosetta.record.plan import Plan
from rosetta.workloads.prepared import PreparedWorkload


@dataclass(frozen=True)
class Given:
    """What a worker that was proven begins with."""

    parameters: Path
    """The standard's values, by its own paths and in its own layouts."""
    file: Path
    """Where its network is."""
    channels_last: bool
    """Whether it takes images so."""
    compared: Path
    """The parameters at which it was proven."""
    outputs: Arrays
    """What the standard gives there, in float64."""
    tolerance: float
    """By how much its own may differ."""


@dataclass(frozen=True)
class PreparedOwn(PreparedWorkload):
    """A network of one's own, of a plan's; ``given`` is filled as its workers are proven."""

    workload: OwnWorkload
    own: OwnFolder
    known: dict[str, Framework]
    asked: Asked
    given: dict[str, Given]
    """By worker."""
    mine: Given | None = None
    """Of the worker that it was made for."""

    def of(self, worker: str) -> "PreparedOwn":
        """Return what a proven worker is given of it."""
        mine = self.given[worker]
        workload = dataclasses.replace(self.workload, file=str(mine.file), channels_last=mine.channels_last)
        return dataclasses.replace(self, workload=workload, mine=mine)

    def ready(self, worker: str) -> bool:
        """Whether the worker's network has been paired with the standard in this session."""
        return worker in self.given

    @property
    def code(self) -> str:
        """A digest of the folder's code as it is now."""
        return code_digest(self.own.folder)

    def parameters_file(self, seed: int) -> Path:
        """Return the worker's file with the standard's values, the same for all seeds."""
        assert self.mine is not None, "it isn't made for one worker"
        return self.mine.parameters

    def network(self, contender: Contender) -> OwnNetwork:
        """Return a contender's network."""
        return dataclasses.replace(self.own.network(contender.name, self.known, "cpu"), contender=contender)

    def give(self, worker: str, file: Path, carried: Carried, outputs: Arrays, tolerance: float) -> None:
        """Keep what the worker of a network that was proven begins with, and what it was proven by."""
        start, compared = (
            self.folder / f"{file_name(self.workload.name)}-{file_name(worker)}-{of}.npz"
            for of in ("start", "compared")
        )
        np.savez(start, allow_pickle=False, **carried.arrays)
        np.savez(compared, allow_pickle=False, **carried.compared)
        self.given[worker] = Given(start, file, carried.channels_last is not False, compared, outputs, tolerance)


def prepare_own(plan: Plan, name: str, known: dict[str, Framework], folder: Path) -> PreparedOwn:
    """Make the samples of one of a plan's own networks, and write them to a scratch folder.

    Raises ``RosettaError`` where the network's folder isn't there, or isn't what the plan says.
    """
    raced = plan.own[name]
    own = read_folder(Path(raced.folder))
    standard = own.network(raced.standard, known, "cpu")
    if raced_network(own, standard, plan.contenders, known, alone=False) != raced:
        raise RosettaError(
            f"{own.folder / MANIFEST}, or which files lie beside it, isn't what the run was planned with.",
            "Put it back, or begin a new run.",
        )
    made = make_samples(own, plan.seed)
    digest = hashlib.sha256(made.order.tobytes())
    paths: dict[str, list[str]] = {"inputs": [], "targets": []}
    for kind, arrays in (("inputs", made.inputs), ("targets", made.targets)):
        for number, array in enumerate(arrays):
            digest.update(np.ascontiguousarray(array).data)
            file = (folder / f"{file_name(name)}-{kind}-{number}.npy").resolve()
            np.save(file, array, allow_pickle=False)
            paths[kind].append(str(file))
    order = (folder / f"{file_name(name)}-order.npy").resolve()
    np.save(order, made.order, allow_pickle=False)
    data = {**paths, "order": str(order), "digest": digest.hexdigest()[:16]}
    inputs, targets = (
        make(specs, own.table.batch, plan.seed)
        for make, specs in ((make_inputs, own.inputs), (make_targets, own.targets))
    )
    asked = Asked(inputs, plan.seed, plan.timeouts, targets, folder=own.folder.absolute())
    steps = len(made.inputs[0]) // own.table.batch
    workload = own_workload(name, raced)
    return PreparedOwn(workload, data, {}, folder.resolve(), plan.seed, steps, own, known, asked, {})


def with_packages(contenders: Sequence[Contender], plan: Plan) -> list[Contender]:
    """Return the contenders with what a plan's own networks need in their environments."""
    extra = {
        contender.framework.name: {
            line for raced in plan.own.values() for line in raced.extra(contender.framework.name)
        }
        for contender in contenders
    }
    return [dataclasses.replace(one, extra=tuple(sorted(extra[one.framework.name]))) for one in contenders]
