"""Reads a picture file as the samples of a data set of images are: so many channels, so many pixels, 8 bits each.

Whatever a file's mode, its values are first made 8 bits by the range that the mode has by its definition, 0…65535 for
16-bit greys. Where it has none, as 32-bit floats, the values themselves must tell it. What can't be told is refused.
"""

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from rosetta.errors import RosettaError
from rosetta.files import read_regular

_LARGEST = 50_000_000
"""Pixels of a picture that is still decoded, which takes 200 MB, and while it is converted up to 1 GB."""
_LARGEST_FILE = 2**28
"""Bytes of a file that is still read; 50 million pixels of 32 bits each have fewer."""
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_MODES = ("1", "L", "P", "PA", "LA", "La", "RGB", "RGBX", "RGBA", "RGBa", "CMYK", "YCbCr")
"""Those of 8 bits or fewer, which Pillow converts; 1 is black and white, P has a palette, a is premultiplied alpha."""
_AS_8_BITS = "Save it with 8 bits a channel."
_BITS_PER_SAMPLE, _PHOTOMETRIC, _COLOUR_MAP, _SUBSAMPLING, _REFERENCE = 258, 262, 320, 530, 532
"""Tags of a TIFF file (TIFF 6.0, sections 8, 21 and 20)."""
_FULL_RANGE = (0, 255, 128, 255, 128, 255)
_BIT_DEPTH = 24
"""Where in a PNG file the bits of a channel are told (PNG specification, 11.2.1)."""


class Picture(NamedTuple):
    """A picture as a network's sample, uint8, and what the user should know of how it was read."""

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...]


def read_picture(path: Path, shape: tuple[int, ...]) -> Picture:
    """Return the picture as uint8 of the shape (channels, height, width), or (height, width) for grey.

    Turned as its EXIF data say; what is transparent becomes white; of a picture that isn't square the middle is taken;
    it is scaled bicubically. Of several frames it is the first. Raises ``RosettaError`` where the file isn't a regular
    file or no picture, is damaged, empty or far too large, or doesn't tell the range of its values.
    """
    *channels, height, width = shape
    content = _content(path)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
                if picture.width * picture.height > _LARGEST:
                    raise RosettaError(
                        f"{path} has {picture.width} × {picture.height} pixels; up to {_LARGEST:,} are read.",
                        f"Make it smaller first: the network sees {width} × {height} of them.",
                    )
                if picture.format == "PNG" and picture.mode == "L":
                    _scale_transparent_grey(picture, content[_BIT_DEPTH])
                ImageOps.exif_transpose(picture, in_place=True)
                bits, scaled = _eight_bits(picture, path, content)
                several = _has_more_frames(picture)
    except UnidentifiedImageError:
        raise RosettaError(
            f"{path} isn't a picture that can be read.", f"These formats are read: {', '.join(_FORMATS)}."
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise RosettaError(f"{path} is far too large a picture: {str(error).rstrip('.')}.") from None
    except RosettaError:
        raise
    except Exception as error:  # what Pillow's readers raise on damaged files is of any kind
        raise RosettaError(f"{path} is a damaged picture: {str(error) or type(error).__name__}.") from error
    if not bits.width or not bits.height:
        raise RosettaError(f"{path} is a picture of {bits.width} × {bits.height} pixels.")
    fitted = ImageOps.fit(bits.convert("RGB" if channels == [3] else "L"), (width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(fitted, np.uint8)
    notes = [scaled] if scaled else []
    if several:
        notes.append("the first of its frames")
    notes += dict.fromkeys(str(one.message) for one in warned if one.category is UserWarning)
    return Picture(np.ascontiguousarray(np.moveaxis(pixels, -1, 0) if channels else pixels), tuple(notes))


def _content(path: Path) -> bytes:
    try:
        return read_regular(path, _LARGEST_FILE, follow=True)
    except FileNotFoundError:
        raise RosettaError(f"There is no file {path}.") from None
    except (OSError, ValueError) as error:  # a ValueError for a name with NUL in it
        raise RosettaError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}.") from None


def _eight_bits(picture: Image.Image, path: Path, content: bytes) -> tuple[Image.Image, str]:
    """Return the picture, what is transparent in it white, as L or RGB of 8 bits, and what is to be said of that."""
    mode = picture.mode
    tags = getattr(picture, "tag_v2", {})

    def refused(why: str) -> RosettaError:
        return RosettaError(f"{path} isn't read: {why}.", _AS_8_BITS)

    if mode.startswith("I;16") or mode in ("I", "F"):
        values = np.asarray(picture).astype(np.float32)
        largest, said = _range(values, mode, picture, refused)
        if tags.get(_PHOTOMETRIC) == 0:  # white is zero, to which Pillow pays no heed in these modes
            values = largest - values
        grey = Image.fromarray(np.rint(values * (255 / largest)).astype(np.uint8))
        transparent = picture.info.get("transparency")
        if isinstance(transparent, int):
            grey.paste(255, (0, 0), Image.fromarray(np.where(values == transparent, 255, 0).astype(np.uint8)))
        return grey, said
    if mode == "CMYK" and picture.format != "TIFF" and "adobe" not in picture.info:
        raise refused("it is CMYK without Adobe's mark, which would tell whether its values are inverted")
    if mode == "YCbCr" and (tags.get(_SUBSAMPLING) != (1, 1) or tags.get(_REFERENCE, _FULL_RANGE) != _FULL_RANGE):
        raise refused("it is YCbCr with colours at a lower resolution, or of another range than 0…255")
    if 0 < max(tags.get(_COLOUR_MAP, (0,))) < 256:
        raise refused("its palette has values of 8 bits where the format has 16")
    if picture.format == "PNG" and isinstance(picture.info.get("transparency"), tuple) and content[_BIT_DEPTH] == 16:
        raise refused("one of its 16-bit colours is transparent")
    if mode not in _MODES:
        raise refused(f"its mode is {mode}")
    if not picture.has_transparency_data:
        return picture.convert("RGB"), ""
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite((picture.convert("LA") if mode == "La" else picture).convert("RGBA"))
    return white.convert("RGB"), ""


def _range(
    values: NDArray[np.float32], mode: str, picture: Image.Image, refused: Callable[[str], RosettaError]
) -> tuple[int, str]:
    """Return which value is white in greys of more than 8 bits, and what is to be said where the values told it."""
    if not np.isfinite(values).all():
        raise refused("some of its values are no finite numbers")
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    if mode.startswith("I;16"):
        (bits, *_) = getattr(picture, "tag_v2", {}).get(_BITS_PER_SAMPLE, (16,))
        if bits == 16 and 0 < high <= 255:
            raise refused(
                f"its largest value is {high:.0f} of 65,535, so it is black, or has 8 bits in the place of 16"
            )
        return 2**bits - 1, ""
    if mode == "I" and picture.format in ("PNG", "PPM"):
        return 65535, ""  # as which Pillow gives all that has more than 8 bits
    kind = "32-bit floating point" if mode == "F" else "integers of more than 16 bits"
    if getattr(picture, "tag_v2", {}).get(_PHOTOMETRIC) == 0:
        raise refused(f"it is {kind} with white as zero")
    if low < 0:
        raise refused(f"it is {kind} with values below zero")
    if mode == "F" and high <= 1:
        return 1, f"{kind}, read as 0…1"
    for least, largest in ((0, 0), (128, 255), (32768, 65535)):
        if least <= high <= largest:
            return largest or 1, f"{kind}, read as 0…{largest:,}" if largest else ""
    raise refused(f"it is {kind} with values up to {high:,g}, which doesn't tell what is white: 1, 255 or 65,535")


def _scale_transparent_grey(picture: Image.Image, depth: int) -> None:
    """Scale the grey that is transparent as Pillow scales the pixels of 2 or 4 bits: it leaves that one as it was."""
    transparent = picture.info.get("transparency")
    if depth in (2, 4) and isinstance(transparent, int):
        picture.info["transparency"] = transparent * 255 // (2**depth - 1)


def _has_more_frames(picture: Image.Image) -> bool:
    try:
        picture.seek(1)
    except EOFError:
        return False
    except Exception:  # a frame that isn't taken may be damaged
        return True
    return True
