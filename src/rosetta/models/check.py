"""Checks whether ports of a network of the user's own are the same network: opens each, pairs, runs and judges."""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from rosetta.contenders.contender import Contender
from rosetta.contenders.device import Wanted
from rosetta.contenders.manifest import frameworks as known_frameworks
from rosetta.environments.client import Arrays, Client, LazyArrays, Timeouts
from rosetta.environments.variables import check_seed
from rosetta.environments.worker import WorkerFailure
from rosetta.errors import RosettaError
from rosetta.models.session import temporary_folder, worker_client
from rosetta.networks.inputs import make_inputs, parse_input
from rosetta.networks.notation import OwnNetwork, parse_network
from rosetta.paths import folders
from rosetta.proof.own.causes import Situation, cause
from rosetta.proof.own.judge import (
    MODES,
    Run,
    Standard,
    judge,
    match_outputs,
    outputs_error,
    overall,
    yardstick,
)
from rosetta.proof.own.layouts import image_shapes, in_usual_order
from rosetta.proof.own.pairing import Pairing, by_order, by_paths, by_values
from rosetta.proof.own.pairs_file import as_recorded, given_pairing, read_pairs, write_pairs
from rosetta.proof.own.parting import as_expected, parts
from rosetta.proof.own.settle import settle
from rosetta.proof.own.weights import factors_of, moved_apart
from rosetta.record.check import CheckResult, Dropout, PairedTensor, PortCheck
from rosetta_worker.messages import Described

Inputs = tuple[NDArray[Any], ...]
_NUDGED = 3
"""Further float32 runs of the standard, on inputs moved by a rounding: one run alone may be lucky."""
_SETTLED = 1e-6
"""With the right pairing the outputs of a port that is the same are as near as this, or as a few yardsticks."""
_YARDSTICKS = 5.0
_MOST = 1e-3
"""The largest yardstick of outputs that still measures something."""
_EXACT, _ROUNDED = 1e-7, 1e-5
"""A sub-module's output that is off by more than this, in float64 and in float32, isn't what the standard's is."""
_COPIES = 8
"""How often a network's float32 parameters are in memory at most: gradients, float64, copies in and out."""


def check(
    standard: str,
    ports: str | Sequence[str],
    *,
    inputs: str | Sequence[str],
    batch: int = 4,
    seed: int = 1,
    pairs: str | Path | None = None,
    save_pairs: str | Path | None = None,
    packages: str | Sequence[str] = (),
    device: Wanted = "auto",
    frameworks: str | Path | Iterable[str | Path] = (),
    timeouts: Timeouts | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> CheckResult:
    """Hold ports of a network against it: outputs, gradients, statistics, in evaluation and training mode.

    Networks are named as ``torch:model.py:Net(width=32)``, inputs as ``3x32x32`` or ``int:0:1000:64``, the shape of one
    sample. ``pairs`` is a file that says which parameters belong together, ``save_pairs`` one to write. ``packages``
    are requirements for all environments, or as ``torch:torchvision`` for one framework's. ``say`` is told what is
    under way. Raises ``RosettaError`` where the standard can't be held against anything; a port that fails has
    its reason in the result.
    """
    check_seed(seed)
    known = known_frameworks(folders(frameworks))
    texts = [ports] if isinstance(ports, str) else list(ports)
    if not texts:
        raise RosettaError("There is nothing to hold the network against.", "Name a port after it.")
    wanted = [packages] if isinstance(packages, str) else list(packages)
    first, *others = (parse_network(text, known, device, wanted) for text in (standard, *texts))
    specs = [parse_input(text) for text in ([inputs] if isinstance(inputs, str) else inputs)]
    arrays = make_inputs(specs, batch, seed)
    given = read_pairs(Path(pairs)) if pairs is not None else {}
    if odd := sorted(given.keys() - {network.text for network in others}):
        raise RosettaError(
            f"{pairs} has pairs of {odd[0]}, which isn't among the ports.", "Name the port as it is there."
        )
    asked = _Asked(arrays, seed, timeouts)
    say(f"{first.text}: the standard, in float32 and float64")
    seen, installed = _observe_standard(first, asked)
    versions = {first.contender.name: installed}
    found = []
    with temporary_folder() as folder:
        recording = _Recording(first, seen, asked, folder / "standard.npz")
        for network in others:
            say(f"{network.text}: against the standard")
            port, installed = _checked(network, seen, asked, given.get(network.text), recording)
            versions[network.contender.name] = installed or versions.get(network.contender.name, {})
            found.append(port)
    if save_pairs is not None:
        write_pairs(Path(save_pairs), found)
    return CheckResult(
        standard=first.text,
        standard_contender=first.contender.name,
        inputs=[spec.text for spec in specs],
        batch=batch,
        seed=seed,
        parameters=sum(int(np.prod(t.shape)) for t in seen.described.tensors if t.role == "parameter"),
        replaced=seen.replaced,
        packages=versions,
        notes=seen.notes,
        ports=found,
    )


@dataclass(frozen=True)
class _Asked:
    """What every network is asked about, and how."""

    inputs: Inputs
    seed: int
    timeouts: Timeouts | None


@dataclass(frozen=True)
class _Seen:
    """All that is known of the standard."""

    described: Described
    own: Arrays
    """Its values as it was made."""
    arrays: Arrays
    """The values at which all are compared."""
    replaced: list[str]
    factors: Arrays
    standard: Standard
    drops: list[float]
    notes: list[str]


class _Recording:
    """What the standard's sub-modules were given and gave, in float64: made when it is first asked for."""

    def __init__(self, network: OwnNetwork, seen: _Seen, asked: _Asked, file: Path):
        self.file = file
        self._network = network
        self._seen = seen
        self._asked = asked

    def made(self) -> LazyArrays:
        """Return its arrays; raise ``WorkerFailure`` where the standard can't be asked again."""
        if not self.file.exists():
            with _opened(self._network, self._asked) as (client, _, _):
                client.to_float64()
                client.load_own_weights(self._seen.arrays)
                client.module_outputs(self.file)
        return LazyArrays(self.file)


def _observe_standard(network: OwnNetwork, asked: _Asked) -> tuple[_Seen, dict[str, str]]:
    seed = asked.seed
    try:
        with _opened(network, asked) as (client, packages, described):
            if "to_float64" not in client.abilities():
                raise RosettaError(
                    f"{network.text}: {network.contender.framework.title} doesn't compute a network of one's own in "
                    "float64, and so can't be the standard.",
                    "Name another one first.",
                )
            _check_memory(network, described)
            own = client.own_weights()
            arrays, replaced = moved_apart(described.tensors, own, seed)
            client.load_own_weights(arrays)
            factors = factors_of(client.own_outputs(), seed)
            if not factors:
                raise RosettaError(f"{network.text} gives no output of real numbers.", "Name a network that does.")
            float32 = [_run(client, factors, nudge) for nudge in range(_NUDGED + 1)]
            client.to_float64()
            client.load_own_weights(arrays)
            exact = _run(client, factors)
    except WorkerFailure as failure:
        raise _failed(network, failure) from failure
    for mode in MODES:
        _check_finite(network, exact[mode].outputs, f"output in {mode} mode")
        _check_finite(network, exact[mode].gradients, f"gradient in {mode} mode")
    notes = []
    if any(array.dtype != np.float64 for name, array in exact["evaluation"].outputs.items() if name in factors):
        notes.append("The standard gives less than float64 when it should compute in it: what it casts isn't exact.")
    before = {t.path: arrays[t.path] for t in described.tensors if t.role == "statistic"}
    standard = Standard(exact, float32, before)
    _check_conditioned(network, standard)
    return _Seen(described, own, arrays, replaced, factors, standard, exact["training"].drops, notes), packages


def _checked(
    network: OwnNetwork, seen: _Seen, asked: _Asked, given: list[PairedTensor] | None, recording: _Recording
) -> tuple[PortCheck, dict[str, str]]:
    """Hold one port against the standard; what fails is told in its result."""
    told = PortCheck(network=network.text, contender=network.contender.name)
    packages: dict[str, str] = {}
    try:
        with _opened(network, asked) as (client, packages, described):
            told = _compared(told, network.contender, client, described, seen, asked, given)
            if told.in_evaluation != "the same":
                told = _parted(told, client, described, seen, recording)
            return told, packages
    except WorkerFailure as failure:
        error = _failed(network, failure)
    except RosettaError as found:
        error = found
    return told.model_copy(update={"failure": error.cause, "remedy": error.remedy}), packages


def _compared(
    told: PortCheck,
    contender: Contender,
    client: Client,
    described: Described,
    seen: _Seen,
    asked: _Asked,
    given: list[PairedTensor] | None,
) -> PortCheck:
    expected = seen.standard.exact["evaluation"].outputs
    pairing, tried = _pair(client, described, seen, asked, given)
    notes = []
    if described.channels_last is not None:
        notes.append(
            f"It takes images channels {'last' if described.channels_last else 'first'}; it was given them so."
        )
    client.load_own_weights(pairing.carry(seen.arrays))
    outputs = client.own_outputs()
    matched = match_outputs(outputs, expected)
    if matched is None:
        raise RosettaError(
            f"The port gives {len(outputs)} outputs, the standard {len(expected)}: {', '.join(expected)}.",
            "Have both give the same.",
        )
    names = {name: own for name, own in zip(matched, outputs, strict=True)} if matched.keys() != outputs.keys() else {}
    factors = {names.get(name, name): array for name, array in seen.factors.items()}
    for name, array in seen.factors.items():
        if matched[name].shape != array.shape:
            raise RosettaError(
                f"The port's {name} has shape {matched[name].shape}, the standard's {array.shape}.",
                "Have both give the same shape.",
            )
    float32 = _run(client, factors)
    float64 = None
    if "to_float64" in client.abilities():
        try:
            client.to_float64()
            client.load_own_weights(pairing.carry(seen.arrays))
            float64 = _run(client, factors)
        except WorkerFailure as failure:
            notes.append(f"It doesn't compute in float64, so that it was held in float32 alone: {failure}")
    else:
        notes.append(f"{contender.framework.title} was held in float32 alone: it has no float64 for this.")
    quantities = judge(seen.standard, float32, float64, pairing, contender.tolerances)
    dropout = Dropout(standard=sorted(seen.drops), port=sorted(float32["training"].drops))
    verdict, precision = overall(quantities, dropout)
    in_evaluation, _ = overall([q for q in quantities if q.mode == "evaluation"])
    in_training, _ = overall([q for q in quantities if q.mode == "training"], dropout)
    return told.model_copy(
        update={
            "verdict": verdict,
            "in_evaluation": in_evaluation,
            "in_training": in_training,
            "precision": precision,
            "in_float64": float64 is not None,
            "paired_by": pairing.how,
            "pairings_tried": tried,
            "pairs": as_recorded(pairing),
            "quantities": quantities,
            "dropout": dropout,
            "notes": notes,
        }
    )


def _parted(told: PortCheck, client: Client, described: Described, seen: _Seen, recording: _Recording) -> PortCheck:
    """Tell where in evaluation a port parts from the standard; it has the standard's weights."""
    if "module_outputs" not in client.abilities():
        return told
    file = recording.file.with_name("port.npz")
    try:
        client.module_outputs(file)
        with contextlib.closing(recording.made()) as mine, contextlib.closing(LazyArrays(file)) as other:
            limit = _EXACT if told.in_float64 else _ROUNDED
            owners = {(_owner(pair.standard), _owner(pair.port)) for pair in told.pairs}
            listed, first, within = parts(seen.described.calls, described.calls, owners, mine, other, limit)
            known = ""
            if first is not None and within and told.in_float64:
                known = _cause(first, _number(described, listed[first].port), seen, mine, other)
    except WorkerFailure as failure:
        note = f"Where it parts can't be told: {failure}"
        return told.model_copy(update={"notes": [*told.notes, note]})
    finally:
        file.unlink(missing_ok=True)
    return told.model_copy(update={"parts": listed, "parts_at": first, "parts_within": within, "cause": known})


def _number(described: Described, path: str | None) -> int | None:
    """Return the number of a module's call; None where it is called several times: then it isn't known which it is."""
    numbers = [number for number, call in enumerate(described.calls) if call.path == path]
    return numbers[0] if len(numbers) == 1 else None


def _cause(first: int, partner: int | None, seen: _Seen, mine: Arrays, other: Arrays) -> str:
    """Name what the port's sub-module does differently, if computing it reproduces what both gave."""
    call = seen.described.calls[first]
    if partner is None or f"given/{first}" not in mine:
        return ""
    gave = np.asarray(mine[f"gave/{first}"], np.float64)
    found = as_expected(np.asarray(other[f"gave/{partner}"], np.float64), gave)
    if found is None:
        return ""
    tensors = {}
    for tensor in seen.described.tensors:
        if _owner(tensor.path) == call.path:
            tensors[tensor.kind] = in_usual_order(tensor, np.asarray(seen.arrays[tensor.path], np.float64))
    situation = Situation(
        np.asarray(mine[f"given/{first}"], np.float64), gave, found, tensors, bool(seen.described.channels_last)
    )
    return cause(situation)


def _owner(path: str) -> str:
    """Return the path of the module that has a parameter."""
    return path.rpartition(".")[0]


def _pair(
    client: Client, described: Described, seen: _Seen, asked: _Asked, given: list[PairedTensor] | None
) -> tuple[Pairing, int]:
    mine, other = seen.described.tensors, described.tensors
    if given is not None:
        return given_pairing(given, mine, other), 0
    images = image_shapes([array.shape for array in asked.inputs])
    for one in (seen.described, described):
        images += image_shapes([call.shape for call in one.calls], channels_last=bool(one.channels_last))
    expected = seen.standard.exact["evaluation"].outputs
    proposals = [
        by_values(mine, other, seen.own, client.own_weights(), images),
        by_order(mine, other),
        by_paths(mine, other),
    ]

    def error(pairing: Pairing) -> float:
        client.load_own_weights(pairing.carry(seen.arrays))
        return outputs_error(client.own_outputs(), expected)

    enough = max(_SETTLED, _YARDSTICKS * yardstick(seen.standard))
    return settle([proposal for proposal in proposals if proposal], error, enough, images)


@contextlib.contextmanager
def _opened(network: OwnNetwork, asked: _Asked) -> Iterator[tuple[Client, dict[str, str], Described]]:
    """Open a network in a worker of its contender; raise ``RosettaError`` where it is random in evaluation."""
    with worker_client(network.contender, seed=asked.seed, timeouts=asked.timeouts) as (client, imported):
        client.open_own(
            network.name,
            network.arguments,
            asked.inputs,
            file=network.file,
            module=network.module,
            folder=Path.cwd(),
            seed=asked.seed,
        )
        described = client.describe()
        if described.random:
            raise RosettaError(
                f"{network.text} is random in evaluation mode: twice the same inputs gave different outputs.",
                "Switch off there what is random: dropout asks whether the network trains.",
            )
        yield client, imported.packages, described


def _run(client: Client, factors: Arrays, nudge: int = 0) -> Run:
    return {mode: client.calculate(factors, training=mode == "training", nudge=nudge) for mode in MODES}


def _check_finite(network: OwnNetwork, arrays: Mapping[str, NDArray[Any]], what: str) -> None:
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise RosettaError(
                f"{network.text}: its {what}, {name}, isn't finite (NaN or infinite): nothing can be held against it.",
                "Look for a division by zero or a logarithm of zero, or give inputs of the kind that it is made for.",
            )


def _check_conditioned(network: OwnNetwork, standard: Standard) -> None:
    """Raise ``RosettaError`` where the standard's own float32 runs differ so much that anything would be the same."""
    for mode in MODES:
        if (size := yardstick(standard, mode)) > _MOST:
            raise RosettaError(
                f"{network.text}: in {mode} mode its own float32 outputs are off by {size:.1e} from those in float64: "
                "it is random there by something else than dropout, or rounding decides what it gives.",
                "Take out what is random; or give it inputs of the kind that it is made for.",
            )


def _check_memory(network: OwnNetwork, described: Described) -> None:
    """Raise ``RosettaError`` where a comparison would take more memory than is free."""
    size = sum(4 * int(np.prod(t.shape)) for t in described.tensors)
    free = psutil.virtual_memory().available
    if _COPIES * size > free:
        raise RosettaError(
            f"{network.text} has {size / 2**30:.1f} GiB of parameters, of which a check needs up to {_COPIES} copies; "
            f"{free / 2**30:.1f} GiB are free.",
            "Make it smaller: fewer layers or channels show the same.",
        )


def _failed(network: OwnNetwork, failure: WorkerFailure) -> RosettaError:
    said = str(failure)
    match = re.search(r"ModuleNotFoundError: No module named '([\w.]+)'", said)
    whose = network.contender.framework.name
    remedy = f"If it isn't a file of yours, have it installed: --package {whose}:{match[1]}" if match else ""
    return RosettaError(f"{network.text} failed: {said}", remedy)
