"""What a proof depends on, as digests by matter, so that a proof of other code isn't taken for that of this."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import rosetta_worker
from rosetta import proof
from rosetta.contenders.contender import Contender
from rosetta.files import files_below, read_regular
from rosetta.proof.standard import standard_of
from rosetta.workloads.prepared import PreparedWorkload

Digests = Mapping[str, str]
TIMED = ("implementation", "worker", "packages", "settings", "workload")
"""What a contender's times depend on as well: where one of these has changed, those that were taken are of another."""
_LENGTH = 16
_MOST_FILES = 10_000
_LARGEST_FILE = 2**28
"""Bytes. A framework's modules have thousands; what is larger isn't one."""


def digests(
    prepared: PreparedWorkload,
    contender: Contender,
    reference: Path,
    environment: Path,
    variables: Mapping[str, str],
) -> Digests:
    """Return the digests of all that a contender's proof on a workload depends on.

    ``reference`` is the folder of the reference's framework, ``environment`` the contender's virtual environment,
    ``variables`` are the environment variables that its workers are given, ``{environment}`` standing for the latter.
    """
    workload = prepared.workload
    return {
        "implementation": _folder(contender.framework.folder) + prepared.code,
        "worker": _folder(Path(rosetta_worker.__file__).parent, own=True),
        "packages": _digest(sorted(path.name for path in environment.glob("lib/python*/site-packages/*.dist-info"))),
        "settings": _digest([contender.name, sorted(variables.items()), contender.tolerances.model_dump()]),
        "workload": _digest([workload.to_worker(), workload.proof_batch, workload.proven_in, prepared.seed])
        + _digest([str(prepared.data["digest"]), repr(standard_of(workload, contender))]),
        "reference": _folder(reference),
        "proof": _folder(Path(proof.__file__).parent),
    }


def changed(recorded: Digests, today: Digests) -> list[str]:
    """Name the matters that are no longer what they were; one that wasn't recorded isn't known to be."""
    return [matter for matter, digest in today.items() if recorded.get(matter) != digest]


def _folder(folder: Path, own: bool = False) -> str:
    """Digest a folder's source files; ``own``: without those of the frameworks, which lie below the worker's."""
    files: Iterable[Path] = folder.glob("*") if own else files_below(folder, _MOST_FILES)
    digest = hashlib.sha256()
    for file in sorted(files):
        if file.is_file() and not any(map(_passing, file.relative_to(folder).parts)):
            digest.update(f"{file.relative_to(folder)}\n".encode())
            digest.update(read_regular(file, _LARGEST_FILE, follow=True))
    return digest.hexdigest()[:_LENGTH]


def _passing(name: str) -> bool:
    """Whether a file or folder of that name comes and goes without being source: caches, what editors leave."""
    return name == "__pycache__" or name.startswith(".") or name.endswith("~")


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:_LENGTH]
