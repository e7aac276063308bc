"""Checks whether ports of a network of the user's own are the same network."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from rosetta.contenders.device import Wanted
from rosetta.contenders.manifest import frameworks as known_frameworks
from rosetta.environments.client import Timeouts
from rosetta.environments.variables import check_seed
from rosetta.errors import RosettaError
from rosetta.models.own_port import checked
from rosetta.models.own_session import Asked
from rosetta.models.own_standard import Recording, observe_standard
from rosetta.models.session import temporary_folder
from rosetta.networks.folder import MANIFEST, names_folder, read_folder
from rosetta.networks.inputs import BATCH, make_inputs, make_targets, parse_input, parse_target
from rosetta.networks.notation import parse_network
from rosetta.paths import folders
from rosetta.proof.own.pairs_file import read_pairs, write_pairs
from rosetta.record.check import CheckResult


def check(
    standard: str,
    ports: str | Sequence[str] = (),
    *,
    inputs: str | Sequence[str] = (),
    targets: str | Sequence[str] = (),
    batch: int | None = None,
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
    sample; the batch has 4. ``targets`` are what a ``loss`` beside the networks gets besides the outputs, as
    ``int:0:10`` or ``5``. Or ``standard`` is a folder with a ``network.toml``, which has all of that. ``pairs`` is a
    file that says which parameters belong together, ``save_pairs`` one to write. ``packages`` are requirements for all
    environments, or as ``torch:torchvision`` for one framework's. ``say`` is told what is under way. Raises
    ``RosettaError`` where the standard can't be held against anything; a port that fails has its reason in the result.
    """
    check_seed(seed)
    known = known_frameworks(folders(frameworks))
    texts = [ports] if isinstance(ports, str) else list(ports)
    wanted = [packages] if isinstance(packages, str) else list(packages)
    specs = [parse_input(text) for text in ([inputs] if isinstance(inputs, str) else inputs)]
    goals = [parse_target(text) for text in ([targets] if isinstance(targets, str) else targets)]
    own = read_folder(Path(standard)) if names_folder(standard) else None
    named = own.networks(known, device, wanted) if own else [parse_network(standard, known, device, wanted)]
    first, *others = *named, *(parse_network(text, known, device, wanted) for text in texts)
    if not others:
        raise RosettaError(
            "There is nothing to hold the network against.",
            f"Write a second file and add it to networks in {standard}/{MANIFEST}." if own else "Name a port after it.",
        )
    specs, goals = specs or (own.inputs if own else []), goals or (own.targets if own else [])
    batch = batch if batch is not None else own.table.batch if own else BATCH
    arrays = make_inputs(specs, batch, seed)
    given = read_pairs(Path(pairs)) if pairs is not None else {}
    if odd := sorted(given.keys() - {network.text for network in others}):
        raise RosettaError(
            f"{pairs} has pairs of {odd[0]}, which isn't among the ports.", "Name the port as it is there."
        )
    asked = Asked(arrays, seed, timeouts, make_targets(goals, batch, seed))
    say(f"{first.text}: the standard, in float32 and float64")
    seen, installed = observe_standard(first, asked)
    parameters = sum(int(np.prod(t.shape)) for t in seen.described.tensors if t.role == "parameter")
    if own:
        outputs = seen.standard.exact["evaluation"].outputs
        own.check_standard(parameters, {name: array.shape for name, array in outputs.items()}, batch)
    versions = {first.contender.name: installed}
    found = []
    with temporary_folder() as folder:
        recording = Recording(first, seen, asked, folder / "standard.npz")
        for network in others:
            say(f"{network.text}: against the standard")
            port, installed = checked(network, seen, asked, given.get(network.text), recording)
            versions[network.contender.name] = installed or versions.get(network.contender.name, {})
            found.append(port)
    if save_pairs is not None:
        write_pairs(Path(save_pairs), found)
    return CheckResult(
        standard=first.text,
        standard_contender=first.contender.name,
        inputs=[spec.text for spec in specs],
        targets=[goal.text for goal in goals],
        batch=batch,
        seed=seed,
        parameters=parameters,
        replaced=seen.replaced,
        packages=versions,
        notes=seen.notes,
        ports=found,
    )
