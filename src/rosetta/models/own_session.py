"""Opens a network of the user's own in a worker of its contender, and asks it."""

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from rosetta.environments.client import Arrays, Client, Timeouts
from rosetta.environments.worker import WorkerFailure
from rosetta.errors import RosettaError
from rosetta.models.session import worker_client
from rosetta.networks.notation import OwnNetwork
from rosetta.proof.own.judge import MODES, Run
from rosetta_worker.messages import Described, Imported

Inputs = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class Carried:
    """The standard's values, by a port's paths and in its layouts."""

    arrays: Arrays
    """As it was made."""
    compared: Arrays
    """Those at which it is held against the standard."""
    channels_last: bool | None
    """Whether the port takes images so, where that was tried."""


@dataclass(frozen=True)
class Asked:
    """What every network is asked about, and how."""

    inputs: Inputs
    seed: int
    timeouts: Timeouts | None
    targets: Inputs = ()
    """What a user's loss gets besides the outputs."""
    workers: "Workers | None" = None
    """Those that networks are opened in; None: each in a worker of its own."""
    carried: Callable[[Carried], None] = lambda carried: None
    """Is told of each port, once it is paired, what it begins with where it is trained."""
    folder: Path = field(default_factory=Path.cwd)
    """Where the networks' code runs."""


class Workers:
    """Workers that stay for the networks after: one for each contender and use, until it fails or all are closed.

    Starting one takes longer than most comparisons. What one network's code changes in the process, as a module's
    attributes, the next one in it sees: meant for networks that are known to do no such thing.
    """

    def __init__(self) -> None:
        self._idle: dict[str, list[tuple[contextlib.ExitStack, Client, Imported]]] = {}

    @contextlib.contextmanager
    def worker(self, network: OwnNetwork, asked: "Asked") -> Iterator[tuple[Client, Imported]]:
        """Give a worker of the contender's that isn't in use, started if there is none; one that fails is ended."""
        idle = self._idle.setdefault(repr(network.contender), [])
        if idle:
            stack, client, imported = idle.pop()
        else:
            with contextlib.ExitStack() as starting:
                made = worker_client(network.contender, seed=asked.seed, timeouts=asked.timeouts)
                client, imported = starting.enter_context(made)
                stack = starting.pop_all()
        try:
            yield client, imported
        except BaseException:
            stack.close()
            raise
        idle.append((stack, client, imported))

    def close(self) -> None:
        """End those that are not in use."""
        for idle in self._idle.values():
            while idle:
                idle.pop()[0].close()


@contextlib.contextmanager
def opened(network: OwnNetwork, asked: Asked) -> Iterator[tuple[Client, dict[str, str], Described]]:
    """Open a network in a worker of its contender; raise ``RosettaError`` where it is random in evaluation."""
    worker = (
        worker_client(network.contender, seed=asked.seed, timeouts=asked.timeouts)
        if asked.workers is None
        else asked.workers.worker(network, asked)
    )
    with worker as (client, imported):
        client.open_own(
            network.name,
            network.arguments,
            asked.inputs,
            file=network.file,
            module=network.module,
            folder=asked.folder,
            seed=asked.seed,
        )
        described = client.describe()
        if described.random:
            raise RosettaError(
                f"{network.text} is random in evaluation mode: twice the same inputs gave different outputs.",
                "Switch off there what is random: dropout asks whether the network trains.",
            )
        yield client, imported.packages, described


def run(client: Client, factors: Arrays, nudge: int = 0) -> Run:
    """Run it in both modes; ``nudge`` as of ``Client.calculate``."""
    return {mode: client.calculate(factors, training=mode == "training", nudge=nudge) for mode in MODES}


def failed(network: OwnNetwork, failure: WorkerFailure) -> RosettaError:
    """Make the error that says what a worker's failure was, and what helps."""
    said = str(failure)
    match = re.search(r"ModuleNotFoundError: No module named '([\w.]+)'", said)
    whose = network.contender.framework.name
    remedy = f"If it isn't a file of yours, have it installed: --package {whose}:{match[1]}" if match else ""
    return RosettaError(f"{network.text} failed: {said}", remedy)
