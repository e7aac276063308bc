"""Makes the table that leads from an order of IMDB's texts to the archive's, and prints the sums that go with it.

    python benchmarks/imdb_table.py ARCHIVE [--out src/rosetta/datasets/imdb_order.npy]

``ARCHIVE`` is the original ``aclImdb_v1.tar.gz`` or its labelled reviews repacked, ``aclImdb_labelled.tar.gz``. What
the table is for is told by ``src/rosetta/datasets/imdb_order.py``. Half a minute.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rosetta.datasets import datasets
from rosetta.datasets.imdb import archived
from rosetta.datasets.imdb_order import SENTIMENTS, named_by_content, sum_of_names
from rosetta.datasets.originals import is_original
from rosetta.datasets.spec import OriginalFile, Split
from rosetta.datasets.tokens import mixed

SPLITS: tuple[Split, Split] = ("train", "test")


def table(reviews: Iterable[tuple[str, bytes]]) -> tuple[NDArray[np.uint16], dict[Split, str]]:
    """Return the table (2, n) and each split's sum for reviews, each a path in the archive and a text."""
    contents = dict(reviews)
    places: list[list[int]] = []
    sums: dict[Split, str] = {}
    for split in SPLITS:
        paths = [path for path in contents if path.startswith(f"{split}/")]
        labelled = ((split, SENTIMENTS.index(path.split("/")[1]), contents[path]) for path in paths)
        names = dict(zip(paths, (name for name, _ in named_by_content(labelled)), strict=True))
        place = {name: number for number, name in enumerate(sorted(names.values()))}
        places.append([place[names[path]] for path in mixed(paths)])
        sums[split] = sum_of_names(names.values())
    return np.array(places, np.uint16), sums


def main() -> None:
    """Write the table, print the sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--out", type=Path, default=Path("src/rosetta/datasets/imdb_order.npy"))
    options = parser.parse_args()
    files = [file for edition in datasets()["imdb"].editions for file in edition.files]
    if not any(isinstance(file, OriginalFile) and is_original(options.archive, file) for file in files):
        parser.error(f"{options.archive} is not the original archive")
    places, sums = table(archived(options.archive))
    np.save(options.out, places)
    for split, found in sums.items():
        print(f'"{split}": "{found}"')


if __name__ == "__main__":
    main()
