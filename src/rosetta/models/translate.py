"""Translates a network of the user's own into another framework, and proves that it is the same."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rosetta.contenders.device import Wanted
from rosetta.contenders.manifest import frameworks as known_frameworks
from rosetta.environments.client import Timeouts
from rosetta.environments.variables import check_seed
from rosetta.environments.worker import WorkerFailure
from rosetta.errors import RosettaError, storage_error, unknown
from rosetta.files import replace_file
from rosetta.models.check import check
from rosetta.models.own_session import Asked, failed, opened
from rosetta.models.session import temporary_folder
from rosetta.networks.inputs import BATCH, make_inputs, parse_input
from rosetta.networks.notation import OwnNetwork, parse_network
from rosetta.paths import folders
from rosetta.proof.own.pairs_file import PairsFile
from rosetta.record.check import CheckResult, CutPiece, CutTensors, PairedTensor
from rosetta.translate.body import Carried
from rosetta.translate.graph import read_graph
from rosetta.translate.rules import check_rules
from rosetta.translate.target import Target
from rosetta.translate.targets import targets
from rosetta.translate.write import Translation, translate_graph

_FROM = "torch"
"""The framework whose networks tell their graphs."""


@dataclass(frozen=True)
class Translated:
    """A translation, where it was written, and what its proof said."""

    text: str
    file: Path
    network: str
    """How it is named for ``rosetta check``."""
    proof: CheckResult | None
    failure: str
    """Why there is no proof, in a sentence; empty where there is one."""

    @property
    def proven(self) -> bool:
        """Whether it is the same network."""
        return self.proof is not None and self.proof.same


def translate(
    network: str,
    to: str,
    *,
    inputs: str | Sequence[str] = (),
    batch: int | None = None,
    seed: int = 1,
    out: str | Path | None = None,
    packages: str | Sequence[str] = (),
    device: Wanted = "auto",
    frameworks: str | Path | Iterable[str | Path] = (),
    timeouts: Timeouts | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Translated:
    """Write a network, named as ``rosetta check`` names it, in the framework ``to``; hold it against the original.

    It is written to ``out``, or to a file in the working directory that has the network's name; where it isn't
    proven, to one that ends in ``.unproven.py``. Raises ``RosettaError`` where it can't be translated.
    """
    check_seed(seed)
    target = _target(to)
    known = known_frameworks(folders(frameworks))
    wanted = [packages] if isinstance(packages, str) else list(packages)
    named = parse_network(network, known, device, wanted)
    if named.contender.framework.name != _FROM:
        raise RosettaError(
            f"{named.contender.framework.title} doesn't tell what a network computes.",
            "Translations are of PyTorch's networks: torch:model.py:Net.",
        )
    specs = [parse_input(text) for text in ([inputs] if isinstance(inputs, str) else inputs)]
    samples = batch if batch is not None else BATCH
    asked = Asked(make_inputs(specs, samples, seed), seed, timeouts)
    file = Path(out) if out is not None else Path(f"{_stem(named)}_{target.name}.py")
    say(f"{named.text}: its graph")
    made = written(named, asked, target)
    with temporary_folder() as folder:
        draft = folder / file.name
        draft.write_text(made.text, "utf-8")
        port = f"{to}:{draft}:{made.name}"
        pairs = folder / "pairs.json"
        pairs.write_text(PairsFile(ports={port: paired(made)}).model_dump_json(), "utf-8")
        proof, failure = None, ""
        try:
            proof = check(
                network, port, inputs=inputs, batch=samples, seed=seed, pairs=pairs, packages=packages, device=device,
                frameworks=frameworks, timeouts=timeouts, say=say,
            )  # fmt: skip
            proof = _named(proof, port, f"{to}:{file}:{made.name}")
        except RosettaError as error:
            failure = f"{error.cause} {error.remedy}".strip()
    proven = proof is not None and proof.same
    if not proven and not file.name.endswith(".unproven.py"):
        file = file.with_name(f"{file.stem}.unproven.py")
    try:
        replace_file(file, made.text.encode())
    except OSError as error:
        raise storage_error(error, file, "written") from error
    return Translated(made.text, file, f"{to}:{file}:{made.name}", proof, failure)


def _target(name: str) -> Target:
    found = targets()
    if name not in found:
        raise unknown("target", name, found)
    return found[name]


def written(named: OwnNetwork, asked: Asked, target: Target) -> Translation:
    """Write a network in a target, unproven; raise ``RosettaError`` where it can't be."""
    try:
        with opened(named, asked) as (client, _, _):
            told, constants = client.graph()
    except WorkerFailure as failure:
        raise failed(named, failure) from failure
    graph = read_graph(told, dict(constants))
    check_rules(graph, target.rules, target.title)
    place = named.file.name if named.file else named.module
    arguments = ", ".join(f"{key}={json.dumps(value)}" for key, value in named.arguments.items())
    source = f"{named.name}({arguments})" if arguments else named.name
    return translate_graph(graph, target, f"{source} of {place} in {target.title}, translated by Rosetta.")


def paired(made: Translation) -> list[PairedTensor | CutTensors]:
    """Return which tensor of a translation is which of the network's."""
    found: list[PairedTensor | CutTensors] = []
    cut: dict[str, list[tuple[str, Carried]]] = {}
    for path, one in made.carried.items():
        if one.part:
            cut.setdefault(one.tensor.paths[0], []).append((path, one))
            continue
        image = made.flattened.get(one.tensor.name)
        found.append(
            PairedTensor(
                standard=one.tensor.paths[0],
                port=path,
                axes=list(one.axes),
                flattened_axis=None if image is None else 1,
                flattened=None if image is None else [image[0], math.prod(image[1:-1]), image[-1]],
                flattened_last=True,
            )
        )
    for whole, parts in cut.items():
        shape = parts[0][1].tensor.shape
        of = {"inputs": shape[1]} if len(shape) > 1 else {}
        mine = CutPiece(
            tensor=whole, parts=[one.part for _, one in parts], of=of, axes=list(range(len(shape))), outputs=1
        )
        port = [
            CutPiece(tensor=path, parts=[one.part], of=of, axes=list(one.axes), outputs=one.outputs)
            for path, one in parts
        ]
        found.append(CutTensors(standard_pieces=[mine], port_pieces=port))
    return found


def _named(proof: CheckResult, before: str, after: str) -> CheckResult:
    ports = [port.model_copy(update={"network": after}) if port.network == before else port for port in proof.ports]
    return proof.model_copy(update={"ports": ports})


def _stem(named: OwnNetwork) -> str:
    return named.name.rpartition(".")[2].lower()
