"""Makes picture files, byte by byte, of forms that Pillow reads but doesn't write."""

import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

_LETTERS = {3: "H", 4: "I", 12: "d"}
"""How TIFF's types of 16 and 32 bits and of doubles are written."""


def png(width: int, height: int, depth: int, colour: int, rows: Sequence[bytes], transparent: bytes = b"") -> bytes:
    """Make a PNG: ``colour`` 0 is grey, 2 RGB, 4 grey with alpha, 6 RGBA; ``transparent`` is one colour, big-endian."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))]
    parts += [chunk(b"tRNS", transparent)] if transparent else []
    parts += [chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(
    values: NDArray,
    bits: Sequence[int],
    photometric: int,
    more: Mapping[int, tuple[int, Sequence[float]]] | None = None,
) -> bytes:
    """Make a little-endian TIFF of ``values``, (height, width, …), as they lie in memory; ``more`` are type and content
    of further tags."""
    height, width = values.shape[:2]
    data = values.tobytes()
    tags: dict[int, tuple[int, Sequence[float]]] = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, bits),
        259: (3, [1]),
        262: (3, [photometric]),
        273: (4, [0]),
        277: (3, [len(bits)]),
        278: (4, [height]),
        279: (4, [len(data)]),
        **(more or {}),
    }
    place = 8 + 2 + 12 * len(tags) + 4
    long = {
        tag: struct.pack(f"<{len(content)}{_LETTERS[kind]}", *content)
        for tag, (kind, content) in sorted(tags.items())
        if struct.calcsize(f"<{len(content)}{_LETTERS[kind]}") > 4
    }
    tags[273] = (4, [place + sum(map(len, long.values()))])
    entries = b""
    for tag, (kind, content) in sorted(tags.items()):
        if tag in long:
            value = struct.pack("<I", place)
            place += len(long[tag])
        else:
            value = struct.pack(f"<{len(content)}{_LETTERS[kind]}", *content).ljust(4, b"\0")
        entries += struct.pack("<HHI", tag, kind, len(content)) + value
    header = b"II*\0" + struct.pack("<IH", 8, len(tags))
    return header + entries + b"\0" * 4 + b"".join(long.values()) + data


def twelve_bits(values: NDArray) -> NDArray[np.uint8]:
    """Pack pairs of 12-bit values, (height, width), as three bytes each: (height, width · 3 / 2)."""
    first, second = values[:, ::2].astype(np.uint16), values[:, 1::2].astype(np.uint16)
    three = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1)
    return three.reshape(len(values), -1).astype(np.uint8)


def without_adobe(jpeg: bytes) -> bytes:
    """Take Adobe's mark, segment APP14, out of a JPEG."""
    start = jpeg.index(b"\xff\xee")
    return jpeg[:start] + jpeg[start + 2 + int.from_bytes(jpeg[start + 2 : start + 4]) :]
