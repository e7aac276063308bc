"""Reads a picture file as the samples of a data set of images are: so many channels, so many pixels, 8 bits each."""

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from rosetta.errors import RosettaError

_LARGEST = 50_000_000
"""Pixels of a picture that is still decoded: 150 MB in memory."""
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")


def read_picture(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the picture as uint8 of the shape (channels, height, width), or (height, width) for grey.

    Turned as its EXIF data say; what is transparent becomes white; of a picture that isn't square the middle is taken;
    it is scaled bicubically. Raises ``RosettaError`` where the file isn't a picture, is empty or far too large.
    """
    *channels, height, width = shape
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as picture:
                if picture.width * picture.height > _LARGEST:
                    raise RosettaError(
                        f"{path} has {picture.width} × {picture.height} pixels; up to {_LARGEST:,} are read.",
                        f"Make it smaller first: the network sees {width} × {height} of them.",
                    )
                upright = ImageOps.exif_transpose(picture).convert("RGBA")
    except FileNotFoundError:
        raise RosettaError(f"There is no file {path}.") from None
    except UnidentifiedImageError:
        raise RosettaError(f"{path} isn't a picture.", f"These formats are read: {', '.join(_FORMATS)}.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise RosettaError(f"{path} is far too large a picture: {str(error).rstrip('.')}.") from None
    except (OSError, SyntaxError, ValueError, TypeError, IndexError) as error:  # what Pillow raises on damaged files
        raise RosettaError(f"{path} is a damaged picture: {error}.") from error
    if not upright.width or not upright.height:
        raise RosettaError(f"{path} is a picture of {upright.width} × {upright.height} pixels.")
    white = Image.new("RGBA", upright.size, "white")
    white.alpha_composite(upright)
    fitted = ImageOps.fit(white.convert("RGB" if channels == [3] else "L"), (width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(fitted, np.uint8)
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0) if channels else pixels)
