"""Pairings as JSON: what a user has saved, edited and gives again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from rosetta.errors import RosettaError, storage_error
from rosetta.files import read_regular, replace_file
from rosetta.proof.own.layouts import Layout, squeezed
from rosetta.proof.own.pairing import Pair, Pairing
from rosetta.record.check import PairedTensor, PortCheck
from rosetta_worker.messages import OwnTensor

_LARGEST = 2**26


class PairsFile(BaseModel):
    """The pairs of each port, by the network as it was named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    ports: dict[str, list[PairedTensor]]


def read_pairs(path: Path) -> dict[str, list[PairedTensor]]:
    """Read a file of pairs; raise ``RosettaError`` where it can't be read or isn't one."""
    try:
        content = read_regular(path, _LARGEST, follow=True)
        return PairsFile.model_validate_json(content).ports
    except OSError as error:
        raise storage_error(error, path, "read") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise RosettaError(
            f"{path} has no pairs: {place}: {first['msg']}.", "rosetta check --save-pairs FILE writes one."
        ) from None


def write_pairs(path: Path, ports: Sequence[PortCheck]) -> None:
    """Write the pairs of all ports that have some; raise ``RosettaError`` where that can't be."""
    text = PairsFile(ports={port.network: port.pairs for port in ports if port.pairs}).model_dump_json(indent=1)
    try:
        replace_file(path, text.encode() + b"\n")
    except OSError as error:
        raise storage_error(error, path, "written") from error


def as_recorded(pairing: Pairing) -> list[PairedTensor]:
    """Return a pairing as it is recorded."""
    return [
        PairedTensor(
            standard=pair.standard.path,
            port=pair.port.path,
            axes=list(pair.layout.axes),
            flattened_axis=pair.layout.flattened_axis,
            flattened=None if pair.layout.flattened is None else list(pair.layout.flattened),
            flattened_last=pair.layout.flattened_last,
        )
        for pair in pairing.pairs
    ]


def given_pairing(pairs: Sequence[PairedTensor], standard: Sequence[OwnTensor], port: Sequence[OwnTensor]) -> Pairing:
    """Return the pairing that a file gives; raise ``RosettaError`` where it doesn't fit these two networks."""
    mine, other = ({t.path: t for t in side} for side in (standard, port))
    found = [_given(pair, mine, other) for pair in pairs]
    for whose, side, paths in (
        ("standard", standard, [pair.standard for pair in pairs]),
        ("port", port, [pair.port for pair in pairs]),
    ):
        if twice := sorted(path for path in set(paths) if paths.count(path) > 1):
            raise _wrong(f"the {whose}'s {twice[0]} is there twice")
        if missing := [t.path for t in side if t.role != "constant" and t.path not in paths]:
            raise _wrong(f"the {whose}'s {', '.join(missing[:5])} isn't there")
    return Pairing(tuple(found), "file")


def _given(pair: PairedTensor, mine: dict[str, OwnTensor], other: dict[str, OwnTensor]) -> Pair:
    for whose, path, there in (("standard", pair.standard, mine), ("port", pair.port, other)):
        if path not in there:
            raise _wrong(f"the {whose} has no {path}")
    standard, port = mine[pair.standard], other[pair.port]
    if sorted(pair.axes) != list(range(len(standard.shape))):
        raise _wrong(f"{pair.axes} aren't the axes of {pair.standard}, which has {len(standard.shape)}")
    if squeezed(standard.shape[axis] for axis in pair.axes) != squeezed(port.shape):
        raise _wrong(f"{pair.standard} with axes {pair.axes} hasn't the shape of {pair.port}")
    image = None
    if pair.flattened is not None or pair.flattened_axis is not None:
        axis, sizes = pair.flattened_axis, pair.flattened or []
        fits = axis is not None and 0 <= axis < len(standard.shape) and len(sizes) == 3 and min(sizes) > 0
        if not fits or sizes[0] * sizes[1] * sizes[2] != standard.shape[axis or 0]:
            raise _wrong(f"axis {axis} of {pair.standard} isn't flattened from {sizes}")
        image = sizes[0], sizes[1], sizes[2]
    return Pair(
        standard, port, Layout(tuple(port.shape), tuple(pair.axes), pair.flattened_axis, image, pair.flattened_last)
    )


def _wrong(what: str) -> RosettaError:
    return RosettaError(f"The pairs that were given don't fit: {what}.", "rosetta check --save-pairs FILE writes some.")
