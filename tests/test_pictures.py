"""Every form in which people keep pictures is read by its own range, as the plain 8-bit one, or refused by name.

What is right is computed here by NumPy from the pixels that were written.
"""

import io
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from picture_files import png, tiff, twelve_bits, without_adobe
from PIL import Image

from rosetta.errors import RosettaError
from rosetta.models import images
from rosetta.models.images import read_picture

RNG = np.random.default_rng(16)
GREY = RNG.integers(0, 256, (28, 28)).astype(np.uint8)
GREY[0, :2] = 0, 255
COLOUR = RNG.integers(0, 256, (32, 32, 3)).astype(np.uint8)
ALPHA = RNG.integers(0, 256, (28, 28)).astype(np.uint8)
ALPHA[1, :2] = 0, 255
WIDE = GREY.astype(np.uint16) * 257
"""The same greys of 16 bits: 255 · 257 is 65535."""


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def on_white(grey: NDArray, alpha: NDArray) -> NDArray:
    opaque = alpha / 255
    return grey * opaque + 255 * (1 - opaque)


def three(grey: NDArray) -> NDArray:
    """Colours whose three channels are one grey."""
    return np.repeat(grey[..., None], 3, axis=-1)


HALF = (GREY >= 128) * np.uint8(255)
FOUR = GREY >> 6
"""Of two bits: their greys are multiples of 85."""
PREMULTIPLIED = np.rint(GREY * (ALPHA / 255)).astype(np.uint8)
PALETTE = np.argsort(RNG.random(256)).astype(np.uint8)
"""Which grey each index has; its inverse gives the indices."""
INDICES = np.argsort(PALETTE).astype(np.uint8)[GREY]
ROWS_16 = [row.astype(">u2").tobytes() for row in WIDE]
TWO_BITS = np.packbits(np.stack([FOUR >> 1, FOUR & 1], axis=-1).astype(np.uint8).reshape(28, -1), axis=1)


def with_palette(mode: str = "P") -> Image.Image:
    image = Image.fromarray(INDICES)
    image.putpalette(np.repeat(PALETTE, 3).tobytes())
    if mode == "PA":
        image = image.convert("PA")
        image.putalpha(Image.fromarray(ALPHA))
    return image


SIGNED = {339: (3, [2])}
FLOATS = {339: (3, [3])}
# Each form's file, the greys that are right, and by how many of 255 they may be off: 1 where alpha is divided out.
GREYS: dict[str, tuple[bytes, NDArray, int]] = {
    "L png": (saved(Image.fromarray(GREY), "PNG"), GREY, 0),
    "L tiff, white is zero": (tiff(255 - GREY, [8], 0), GREY, 0),
    "1 png": (saved(Image.fromarray(HALF).convert("1"), "PNG"), HALF, 0),
    "1 tiff": (saved(Image.fromarray(HALF).convert("1"), "TIFF"), HALF, 0),
    "2 bits png": (png(28, 28, 2, 0, [row.tobytes() for row in TWO_BITS]), FOUR * 85, 0),
    "2 bits png, one transparent": (
        png(28, 28, 2, 0, [row.tobytes() for row in TWO_BITS], b"\0\1"),
        np.where(FOUR == 1, 255, FOUR * 85),
        0,
    ),
    "8 bits png, one transparent": (
        png(28, 28, 8, 0, [row.tobytes() for row in GREY], b"\0" + GREY[5, 5].tobytes()),
        np.where(GREY[5, 5] == GREY, 255, GREY),
        0,
    ),
    "I;16 png": (png(28, 28, 16, 0, ROWS_16), GREY, 0),
    "I;16 png, one transparent": (
        png(28, 28, 16, 0, ROWS_16, WIDE[5, 5].astype(">u2").tobytes()),
        np.where(GREY[5, 5] == GREY, 255, GREY),
        0,
    ),
    "I;16 tiff": (saved(Image.fromarray(WIDE), "TIFF"), GREY, 0),
    "I;16 tiff, between": (saved(Image.fromarray(WIDE // 2 + 77), "TIFF"), np.rint((WIDE // 2 + 77) / 257), 0),
    "I;16 tiff, white is zero": (tiff(65535 - WIDE, [16], 0), GREY, 0),
    "I;16B tiff": (saved(Image.frombytes("I;16B", (28, 28), WIDE.astype(">u2").tobytes()), "TIFF"), GREY, 0),
    "12 bits tiff": (
        tiff(twelve_bits(GREY.astype(np.uint16) * 16), [12], 1, {256: (4, [28])}),
        np.rint(GREY.astype(float) * 16 * 255 / 4095),
        0,
    ),
    "16 bits pgm": (b"P5 28 28 65535\n" + WIDE.astype(">u2").tobytes(), GREY, 0),
    "10 bits pgm": (b"P5 28 28 1023\n" + (GREY * np.uint16(4)).astype(">u2").tobytes(), GREY * (1020 / 1023), 1),
    "7 values pgm": (b"P5 28 28 6\n" + (GREY % 7).tobytes(), np.rint(GREY % 7 * (255 / 6)), 0),
    "I tiff 0…255": (saved(Image.fromarray(GREY.astype(np.int32)), "TIFF"), GREY, 0),
    "I tiff 0…65535": (saved(Image.fromarray(WIDE.astype(np.int32)), "TIFF"), GREY, 0),
    "signed 16 bits tiff 0…255": (tiff(GREY.astype("<i2"), [16], 1, SIGNED), GREY, 0),
    "F tiff 0…1": (saved(Image.fromarray(GREY / np.float32(255)), "TIFF"), GREY, 0),
    "F tiff 0…255": (saved(Image.fromarray(GREY.astype(np.float32)), "TIFF"), GREY, 0),
    "F tiff 0…65535": (saved(Image.fromarray(WIDE.astype(np.float32)), "TIFF"), GREY, 0),
    "F pfm 0…1": (b"Pf\n28 28\n-1.0\n" + (GREY[::-1] / np.float32(255)).astype("<f4").tobytes(), GREY, 0),
    "F black": (saved(Image.fromarray(np.zeros((28, 28), np.float32)), "TIFF"), GREY * 0, 0),
    "P png": (saved(with_palette(), "PNG"), GREY, 0),
    "P gif": (saved(with_palette(), "GIF"), GREY, 0),
    "P tiff": (saved(with_palette(), "TIFF"), GREY, 0),
    "P png, alpha by index": (
        saved(with_palette(), "PNG", transparency=bytes(range(256))),
        on_white(GREY, INDICES),
        1,
    ),
    "P gif, one transparent": (
        saved(with_palette(), "GIF", transparency=int(INDICES[5, 5])),
        np.where(INDICES[5, 5] == INDICES, 255, GREY),
        0,
    ),
    "PA tiff": (saved(with_palette("PA"), "TIFF"), on_white(GREY, ALPHA), 1),
    "LA png": (
        saved(Image.merge("LA", (Image.fromarray(GREY), Image.fromarray(ALPHA))), "PNG"),
        on_white(GREY, ALPHA),
        1,
    ),
    "La tiff, premultiplied": (
        tiff(np.dstack([PREMULTIPLIED, ALPHA]), [8, 8], 1, {338: (3, [1])}),
        PREMULTIPLIED + 255.0 - ALPHA,
        1,
    ),
    "RGBa tiff, premultiplied": (
        tiff(np.dstack([PREMULTIPLIED] * 3 + [ALPHA]), [8] * 4, 2, {338: (3, [1])}),
        PREMULTIPLIED + 255.0 - ALPHA,
        1,
    ),
    "RGBX tiff": (tiff(np.dstack([GREY] * 3 + [ALPHA]), [8] * 4, 2, {338: (3, [0])}), GREY, 0),
    "RGB 16 bits png": (png(28, 28, 16, 2, [three(r).astype(">u2").tobytes() for r in WIDE]), GREY, 0),
    "RGB 16 bits tiff": (tiff(three(WIDE), [16] * 3, 2), GREY, 0),
    "CMYK tiff of black alone": (tiff(np.dstack([GREY * 0] * 3 + [255 - GREY]), [8] * 4, 5), GREY, 0),
    "webp": (saved(Image.fromarray(three(GREY)), "WEBP", lossless=True), GREY, 0),
    "bmp": (saved(Image.fromarray(GREY), "BMP"), GREY, 0),
}


def read(content: bytes, tmp_path: Path, shape: tuple[int, ...] = (28, 28)) -> images.Picture:
    file = tmp_path / "picture"
    file.write_bytes(content)
    return read_picture(file, shape)


def test_each_form_of_greys_is_the_plain_one(tmp_path: Path) -> None:
    wrong = {}
    for name, (content, right, off) in GREYS.items():
        found = read(content, tmp_path).pixels
        if found.dtype != np.uint8 or np.abs(found - np.asarray(right, float)).max() > off:
            wrong[name] = np.abs(found - np.asarray(right, float)).max()
    assert not wrong


def test_each_form_of_colours_is_the_plain_one(tmp_path: Path) -> None:
    image = Image.fromarray(COLOUR)
    cyan, magenta, yellow, black = (RNG.integers(0, 256, (32, 32)) for _ in range(4))
    inks = np.dstack([cyan, magenta, yellow, black]).astype(np.uint8)
    printed = (255 - inks[..., :3].astype(float)) * (255 - inks[..., 3:].astype(float)) / 255
    luma, blue, red = (RNG.integers(40, 216, (32, 32)).astype(float) for _ in range(3))
    # ITU-T T.871: the full range of 8 bits.
    from_luma = np.dstack(
        [
            luma + 1.402 * (red - 128),
            luma - 0.344136 * (blue - 128) - 0.714136 * (red - 128),
            luma + 1.772 * (blue - 128),
        ]
    ).clip(0, 255)
    of_luma = Image.frombytes("YCbCr", (32, 32), np.dstack([luma, blue, red]).astype(np.uint8).tobytes())
    smooth = np.broadcast_to(inks[:1, :1], (32, 32, 4))
    forms = {
        "png": (saved(image, "PNG"), COLOUR, 0),
        "ppm": (saved(image, "PPM"), COLOUR, 0),
        "tiff": (saved(image, "TIFF"), COLOUR, 0),
        "CMYK tiff": (saved(Image.fromarray(inks, "CMYK"), "TIFF"), printed, 1),
        # A JPEG is inverted by Adobe's custom; one colour all over is nearly lossless.
        "CMYK jpeg, Adobe's": (saved(Image.fromarray(smooth.copy(), "CMYK"), "JPEG", quality=100), printed[0, 0], 3),
        "YCbCr tiff": (saved(of_luma, "TIFF"), from_luma, 1),
    }
    for name, (content, right, off) in forms.items():
        found = np.moveaxis(read(content, tmp_path, (3, 32, 32)).pixels, 0, -1)
        assert np.abs(found - np.asarray(right, float)).max() <= off, name


REFUSED: dict[str, tuple[bytes, str]] = {
    "16 bits that are 8": (saved(Image.fromarray(GREY.astype(np.uint16)), "TIFF"), "largest value is 255 of 65,535"),
    "integers up to 1": (saved(Image.fromarray((GREY > 9).astype(np.int32)), "TIFF"), "up to 1, which doesn't tell"),
    "integers of 20 bits": (saved(Image.fromarray(GREY.astype(np.int32) * 4000), "TIFF"), "doesn't tell what is white"),
    "integers below zero": (saved(Image.fromarray(GREY.astype(np.int32) - 9), "TIFF"), "values below zero"),
    "floats −1…1": (saved(Image.fromarray(GREY / np.float32(127.5) - 1), "TIFF"), "values below zero"),
    "floats up to 2": (saved(Image.fromarray(GREY / np.float32(127.5)), "TIFF"), "up to 2, which doesn't tell"),
    "floats with NaN": (
        saved(Image.fromarray(np.where(GREY == 0, np.nan, GREY / 255).astype(np.float32)), "TIFF"),
        "no finite numbers",
    ),
    "floats, white is zero": (tiff((GREY / 255).astype("<f4"), [32], 0, FLOATS), "white as zero"),
    "LAB": (saved(Image.new("LAB", (28, 28)), "TIFF"), "its mode is LAB"),
    "CMYK jpeg that doesn't tell": (
        without_adobe(saved(Image.new("CMYK", (28, 28)), "JPEG")),
        "CMYK without Adobe's mark",
    ),
    "YCbCr of limited range": (
        tiff(three(GREY), [8] * 3, 6, {530: (3, [1, 1]), 532: (12, [16, 235, 128, 240, 128, 240])}),
        "of another range",
    ),
    "YCbCr, subsampled": (tiff(three(GREY), [8] * 3, 6), "at a lower resolution"),
    "a palette of 8 bits": (tiff(INDICES, [8], 3, {320: (3, [*range(256)] * 3)}), "its palette has values of 8 bits"),
    "16-bit colours, one transparent": (
        png(28, 28, 16, 2, [three(row).astype(">u2").tobytes() for row in WIDE], b"\1" * 6),
        "16-bit colours is transparent",
    ),
    "floats of 64 bits": (tiff((GREY / 255).astype("<f8"), [64], 1, FLOATS), "isn't a picture that can be read"),
}


def test_what_does_not_tell_its_range_is_refused_by_name(tmp_path: Path) -> None:
    for name, (content, cause) in REFUSED.items():
        with pytest.raises(RosettaError, match=cause):
            read(content, tmp_path)
            pytest.fail(name)


def test_what_the_values_told_is_said(tmp_path: Path) -> None:
    for form, notes in (
        ("F tiff 0…1", ("32-bit floating point, read as 0…1",)),
        ("F tiff 0…255", ("32-bit floating point, read as 0…255",)),
        ("I tiff 0…65535", ("integers of more than 16 bits, read as 0…65,535",)),
        ("I;16 tiff", ()),
        ("P gif", ()),
    ):
        assert read(GREYS[form][0], tmp_path).notes == notes


def test_of_several_frames_it_is_the_first_and_that_is_said(tmp_path: Path) -> None:
    first, second = Image.fromarray(three(GREY)), Image.fromarray(255 - three(GREY))
    for kind, options in (
        ("PNG", {}),
        ("GIF", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("MPO", {"quality": 95}),
    ):
        found = read(saved(first, kind, save_all=True, append_images=[second], **options), tmp_path)
        alone = read(saved(first, "JPEG" if kind == "MPO" else kind, **options), tmp_path)
        assert found.notes == ("the first of its frames",) and alone.notes == (), kind
        assert np.array_equal(found.pixels, alone.pixels), kind


# EXIF 2.3, 4.6.4: where the stored picture's first row and column are when it is looked at.
TURNED: dict[int, Callable[[NDArray], NDArray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: lambda a: a.T[:, ::-1],
    7: lambda a: a.T[::-1, ::-1],
    8: lambda a: a.T[::-1],
    9: lambda a: a,  # there is no such orientation
}


def test_all_orientations_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    for orientation, turned in TURNED.items():
        exif[0x0112] = orientation
        for name, content in (
            ("PNG", saved(Image.fromarray(GREY), "PNG", exif=exif)),
            ("I;16", saved(Image.fromarray(WIDE), "PNG", exif=exif)),
            ("TIFF", tiff(GREY, [8], 1, {274: (3, [orientation])})),
            ("float TIFF", tiff((GREY / 255).astype("<f4"), [32], 1, FLOATS | {274: (3, [orientation])})),
            ("WEBP", saved(Image.fromarray(three(GREY)), "WEBP", lossless=True, exif=exif)),
        ):
            assert np.array_equal(read(content, tmp_path).pixels, turned(GREY)), (name, orientation)


def test_only_regular_files_of_a_bounded_size_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "real").write_bytes(GREYS["L png"][0])
    (tmp_path / "link").symlink_to(tmp_path / "real")
    started = time.monotonic()
    for path, cause in (
        (tmp_path / "fifo", "isn't a regular file"),
        (Path("/dev/zero"), "isn't a regular file"),
        (tmp_path, "isn't a regular file"),
        (tmp_path / "loop", "can't be read"),
        (tmp_path / "real" / "x", "can't be read"),
        (tmp_path / ("x" * 300), "can't be read"),
        (Path("a\0b"), "can't be read"),
        (tmp_path / "none", "There is no file"),
    ):
        with pytest.raises(RosettaError, match=cause):
            read_picture(path, (28, 28))
    assert time.monotonic() - started < 5
    odd = tmp_path / os.fsdecode(b"\xff\xfe.png")
    odd.write_bytes(GREYS["L png"][0])
    for path in (odd, tmp_path / "link"):
        assert np.array_equal(read_picture(path, (28, 28)).pixels, GREY)
    monkeypatch.setattr(images, "_LARGEST_FILE", 100)
    with pytest.raises(RosettaError, match="more than 100 bytes"):
        read_picture(tmp_path / "real", (28, 28))


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    """Of each format files with bytes changed, cut off or doubled: a picture or one message, never a traceback."""
    chance = random.Random(16)
    exif = Image.Exif()
    exif[0x0112] = 6
    rgb = Image.fromarray(three(GREY))
    whole = [
        *(GREYS[name][0] for name in ("I;16 png", "P gif", "P tiff", "F tiff 0…1", "10 bits pgm", "bmp")),
        *(saved(rgb, kind, exif=exif) for kind in ("JPEG", "PNG", "WEBP")),
        *(saved(rgb, kind, save_all=True, append_images=[rgb]) for kind in ("MPO", "GIF", "TIFF")),
    ]
    counts = {"read": 0, "refused": 0}
    for content in whole:
        for _ in range(20):
            spoilt = bytearray(content)
            for _ in range(chance.randint(1, 8)):
                spoilt[chance.randrange(min(len(spoilt), chance.choice((40, 400, 10**6))))] = chance.randrange(256)
            if chance.random() < 0.3:
                spoilt = spoilt[: chance.randrange(len(spoilt))]
            try:
                assert read(bytes(spoilt), tmp_path).pixels.shape == (28, 28)
                counts["read"] += 1
            except RosettaError as error:
                counts["refused"] += 1
                assert str(tmp_path / "picture") in error.cause and "\n" not in error.cause
    assert sum(counts.values()) == 20 * len(whole) and min(counts.values()) > 20, counts
