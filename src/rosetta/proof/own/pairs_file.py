"""Pairings as JSON: what a user has saved, edited and gives again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Tag, ValidationError

from rosetta.errors import RosettaError, storage_error
from rosetta.files import read_regular, replace_file
from rosetta.proof.own.cuts import BIAS, Cut, Piece
from rosetta.proof.own.layouts import Layout, squeezed
from rosetta.proof.own.pairing import Pair, Pairing
from rosetta.record.check import CutPiece, CutTensors, PairedTensor, PortCheck
from rosetta_worker.messages import OwnTensor

_LARGEST = 2**26
_PAIR, _CUT = "a pair", "a cut"


def _kind(value: Any) -> str:
    cut = isinstance(value, CutTensors) or (isinstance(value, dict) and "standard_pieces" in value)
    return _CUT if cut else _PAIR


Given = Sequence[
    Annotated[Annotated[PairedTensor, Tag(_PAIR)] | Annotated[CutTensors, Tag(_CUT)], Discriminator(_kind)]
]


class PairsFile(BaseModel):
    """The pairs of each port, by the network as it was named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    ports: dict[str, Given]


def read_pairs(path: Path) -> dict[str, Given]:
    """Read a file of pairs; raise ``RosettaError`` where it can't be read or isn't one."""
    try:
        content = read_regular(path, _LARGEST, follow=True)
        return PairsFile.model_validate_json(content).ports
    except OSError as error:
        raise storage_error(error, path, "read") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"] if step not in (_PAIR, _CUT)) or "the file"
        raise RosettaError(
            f"{path} has no pairs: {place}: {first['msg']}.", "rosetta check --save-pairs FILE writes one."
        ) from None


def write_pairs(path: Path, ports: Sequence[PortCheck]) -> None:
    """Write the pairs of all ports that have some; raise ``RosettaError`` where that can't be."""
    found: dict[str, Given] = {port.network: [*port.pairs, *port.cuts] for port in ports if port.pairs or port.cuts}
    text = PairsFile(ports=found).model_dump_json(indent=1)
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


def cuts_as_recorded(pairing: Pairing) -> list[CutTensors]:
    """Return as it is recorded what a pairing has that is cut differently on both sides."""
    return [
        CutTensors(standard_pieces=[_piece(p) for p in cut.standard], port_pieces=[_piece(p) for p in cut.port],
                   tied=cut.tied)
        for cut in pairing.cuts
    ]  # fmt: skip


def given_pairing(given: Given, standard: Sequence[OwnTensor], port: Sequence[OwnTensor]) -> Pairing:
    """Return the pairing that a file gives; raise ``RosettaError`` where it doesn't fit these two networks."""
    mine, other = ({t.path: t for t in side} for side in (standard, port))
    pairs = [one for one in given if isinstance(one, PairedTensor)]
    cut = [one for one in given if isinstance(one, CutTensors)]
    found = [_given(pair, mine, other) for pair in pairs]
    cuts = [_given_cut(one, mine, other) for one in cut]
    for whose, side, paths in (
        ("standard", standard, [p.standard for p in pairs] + [p.tensor for one in cut for p in one.standard_pieces]),
        ("port", port, [p.port for p in pairs] + [p.tensor for one in cut for p in one.port_pieces]),
    ):
        if twice := sorted(path for path in set(paths) if paths.count(path) > 1):
            raise _wrong(f"the {whose}'s {twice[0]} is there twice")
        if missing := [t.path for t in side if t.role != "constant" and t.path not in paths]:
            raise _wrong(f"the {whose}'s {', '.join(missing[:5])} isn't there")
    return Pairing(tuple(found), "file", tuple(cuts))


def _piece(piece: Piece) -> CutPiece:
    return CutPiece(
        tensor=piece.tensor.path,
        parts=list(piece.rows),
        of={} if piece.columns == (BIAS,) else dict(piece.columns),
        axes=list(piece.axes),
        outputs=piece.outputs,
        groups=piece.outer,
    )


def _given_piece(piece: CutPiece, tensor: OwnTensor) -> Piece:
    columns = tuple(piece.of.items()) or (BIAS,)
    return Piece(tensor, tuple(piece.axes), piece.outputs, tuple(piece.parts), columns, piece.groups)


def _given_cut(cut: CutTensors, mine: dict[str, OwnTensor], other: dict[str, OwnTensor]) -> Cut:
    sides = []
    for whose, pieces, there in (("standard", cut.standard_pieces, mine), ("port", cut.port_pieces, other)):
        if odd := next((piece.tensor for piece in pieces if piece.tensor not in there), None):
            raise _wrong(f"the {whose} has no {odd}")
        if not pieces:
            raise _wrong(f"nothing of the {whose} is cut")
        sides.append(tuple(_given_piece(piece, there[piece.tensor]) for piece in pieces))
    found = Cut(sides[0], sides[1], cut.tied)
    if found.wrong:
        raise _wrong(found.wrong)
    return found


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
