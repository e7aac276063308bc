"""Downloads a data set's original files, checks their sums, and takes the wanted members out of archives."""

import time
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests

from rosetta.datasets.archives import members
from rosetta.datasets.originals import is_original
from rosetta.datasets.spec import Download, OriginalFile, Say
from rosetta.errors import RosettaError
from rosetta.files import replacing

_CONNECT_SECONDS = 5
_READ_SECONDS = 30
_PIECE = 1 << 18
_REMEDY = "A proxy or a login page may stand between; fetch the file another way and give its folder with --data."


class Unreachable(Exception):
    """No mirror of a file answered."""


def fetch(download: Download, folder: Path, say: Say) -> None:
    """Bring what ``download`` describes into ``folder``, unless it is there already.

    Raises ``Unreachable`` if no mirror can be reached, ``RosettaError`` if what came is not the original file, and
    ``OSError`` if it can't be stored.
    """
    wanted = download.members.values() or (download.file,)
    if all(is_original(folder / file.name, file) for file in wanted):
        return
    archive = _retrieve(download, folder, say)
    if download.members:
        try:
            _extract(archive, download, folder)
        finally:
            archive.unlink()


def _retrieve(download: Download, folder: Path, say: Say) -> Path:
    pooch.get_logger().setLevel("WARNING")
    wrong = ""
    reasons: list[str] = []
    for url in download.urls:
        say(f"Downloading {download.file.name} ({download.file.size / 1e6:.1f} MB) from {urlsplit(url).netloc}")
        downloader = pooch.HTTPDownloader(
            progressbar=_Progress(download.file, say),
            chunk_size=_PIECE,
            timeout=(_CONNECT_SECONDS, _READ_SECONDS),
            # The sums are those of the compressed files, so no transparent decompression on the way.
            headers={"Accept-Encoding": "identity"},
        )
        try:
            return Path(
                pooch.retrieve(
                    url,
                    known_hash=f"md5:{download.file.md5}" if download.file.md5 else None,
                    fname=download.file.name,
                    path=folder,
                    downloader=downloader,
                )
            )
        except requests.exceptions.RequestException as fault:
            status = fault.response.status_code if fault.response is not None else type(fault).__name__
            reasons.append(f"{urlsplit(url).netloc}: {status}")
        except ValueError as fault:
            wrong = f"What {url} sent is not the original {download.file.name}: {fault}"
    if wrong:
        raise RosettaError(wrong, _REMEDY)
    raise Unreachable(", ".join(reasons))


def _extract(archive: Path, download: Download, folder: Path) -> None:
    missing = dict(download.members)
    try:
        for member, content in members(archive):
            file = missing.get(member.name)
            if file is None or content is None or member.size != file.size:
                continue
            target = folder / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target) as partial, partial.open("wb") as opened:
                while piece := content.read(_PIECE):
                    opened.write(piece)
            del missing[member.name]
            if not missing:
                return
    except RosettaError as fault:
        raise RosettaError(f"What was downloaded can't be unpacked. {fault.cause}", _REMEDY) from fault
    raise RosettaError(f"The downloaded {archive.name} lacks {', '.join(missing)}.", _REMEDY)


class _Progress:
    """Pooch's progress bar as a line every few seconds; refuses a transfer that is longer than the file should be."""

    def __init__(self, file: OriginalFile, say: Say, seconds: float = 5.0):
        self.total = 0
        self._file = file
        self._say = say
        self._seconds = seconds
        self._done = 0
        self._next = time.monotonic() + seconds

    def update(self, size: int) -> None:
        """Count bytes; pooch reports whole pieces, also for the last."""
        self._done += size
        if self._done >= self._file.size + _PIECE:
            raise ValueError(f"longer than {self._file.size:,} bytes")
        if time.monotonic() >= self._next:
            self._next += self._seconds
            self._say(f"{self._file.name}: {min(1.0, self._done / self._file.size):.0%}")

    def reset(self) -> None:
        """Start counting again."""
        self._done = 0

    def close(self) -> None:
        """Nothing to close."""
