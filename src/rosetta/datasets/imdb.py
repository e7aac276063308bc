"""IMDB: 50,000 film reviews, half of them positive, half for training (Maas et al., ACL 2011), as the last 150 words.

A word is what stands between white space in the lower-cased text after every line break tag and every one of the
characters !"#$%&()*+,-./:;<=>?@[\\]^_`{|}~ has become a space; the apostrophe stays. The vocabulary is the words of
the training reviews by falling frequency, words of equal frequency in alphabetical order. Index 0 is padding, 1 the
start of a review, 2 any other word, and from 3 on come the 29,997 most frequent words. Of start and words the last 150
are kept, and a shorter review has zeros before it.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rosetta.datasets.archives import damaged, members
from rosetta.datasets.imdb_order import SENTIMENTS, in_archives_order, named_by_content
from rosetta.datasets.imdb_ranks import decode_ranks
from rosetta.datasets.originals import check_labels, files_in_folder
from rosetta.datasets.parquet import read_texts
from rosetta.datasets.spec import (
    Batch,
    Dataset,
    Download,
    Edition,
    InputArray,
    OriginalFile,
    OriginalFolder,
    Reading,
    Samples,
    Split,
    generated,
    splits,
)
from rosetta.datasets.synthetic_text import synthetic_reviews
from rosetta.datasets.tokens import FIRST_WORD, START, UNKNOWN, left_padded, mixed

_CLASSES = ("negative", "positive")
_VOCABULARY = 30_000
_LENGTH = 150
_BATCH = 1000
# The longest is 13,704 bytes.
_LONGEST_REVIEW = 1 << 16
_REVIEW = re.compile(r"aclImdb/((?:train|test)/(?:neg|pos)/\d+_\d+\.txt)")
_SPACES = str.maketrans(dict.fromkeys('!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~', " "))

Order = Callable[[Split, Collection[str]], list[str]]
"""Sorts the names of a split's reviews."""


class Source(NamedTuple):
    """Reviews as they are read: names, such as "train/pos/0_9.txt", and texts; where they lie; how they are sorted."""

    texts: Iterator[tuple[str, bytes]]
    path: Path
    order: Order


def archive_texts(folder: Path, edition: Edition) -> Source:
    """Return the reviews of the archive, which is read once, as a stream; nothing is unpacked onto the disk."""
    path = folder / edition.files[0].name
    return Source(archived(path), path, _by_paths(path, edition))


def folder_texts(folder: Path, edition: Edition) -> Source:
    """Return the reviews of the unpacked archive."""
    (original,) = edition.files
    assert isinstance(original, OriginalFolder)
    path = folder / original.name
    texts = ((name, file.read_bytes()) for name, file in files_in_folder(path, original).items())
    return Source(texts, path, _by_paths(path, edition))


def decode_archive(folder: Path, edition: Edition) -> Samples:
    """Read reviews (n, 150) int32 and labels (n,); raise ``RosettaError`` naming what isn't right.

    No text outlives its turn.
    """
    return _samples(archive_texts(folder, edition), edition)


def decode_folder(folder: Path, edition: Edition) -> Samples:
    """Read the same from the unpacked archive."""
    return _samples(folder_texts(folder, edition), edition)


def decode_parquet(folder: Path, edition: Edition) -> Samples:
    """Read the same from Hugging Face's parquet files; whatever order their rows are in, it is the archive's here."""
    path = folder / edition.files[0].name
    return _samples(Source(named_by_content(_rows(folder, edition)), path, in_archives_order), edition)


def read_text(text: str, vocabulary: Sequence[str]) -> Reading:
    """Read a review, (150,), by the words at their indices; of a longer one the last words, as in training."""
    index = {word: number for number, word in enumerate(vocabulary) if word}
    review = [START, *(index.get(word, UNKNOWN) for word in _split(text))]
    words = len(review) - 1
    cut = (f"the last {_LENGTH} of its {words:,} words",) if words > _LENGTH else ()
    return Reading((left_padded([review], _LENGTH)[0],), cut)


def archived(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the reviews' paths in the archive, like "train/pos/0_9.txt", and texts; refuse what has no place there."""
    for member, content in members(path):
        if member.name.startswith("/") or ".." in member.name.split("/"):
            raise damaged(path, f"its member {member.name!r} leads out of the folder")
        if content is None and not member.isdir():
            raise damaged(path, f"its member {member.name!r} is a link or a device")
        review = _REVIEW.fullmatch(member.name)
        if review and content:
            if member.size > _LONGEST_REVIEW:
                raise damaged(path, f"its member {member.name!r} has {member.size:,} bytes, no review is that long")
            yield review[1], content.read()


def _rows(folder: Path, edition: Edition) -> Iterator[tuple[Split, int, bytes]]:
    """Yield split, label and text of each review."""
    train, test = (edition.train_files, edition.train_size), (edition.test_files, edition.test_size)
    for split, (files, size) in splits(train, test):
        before: Counter[Path] = Counter()
        for texts, labels, path in read_texts([folder / file.name for file in files], size, _LONGEST_REVIEW):
            check_labels(labels.astype(np.uint64), len(_CLASSES), before[path], path)
            before[path] += len(texts)
            yield from ((split, label, text) for label, text in zip(labels.tolist(), texts, strict=True))


def _by_paths(path: Path, edition: Edition) -> Order:
    """Return what mixes reviews, by their paths' MD5 sums: a short run looks at the first test samples only."""
    sizes = dict(splits(edition.train_size, edition.test_size))

    def order(split: Split, names: Collection[str]) -> list[str]:
        for kind in SENTIMENTS:
            found = sum(name.startswith(f"{split}/{kind}/") for name in names)
            if found != sizes[split] // 2:
                raise damaged(path, f"{found:,} reviews in {split}/{kind}, expected {sizes[split] // 2:,}")
        return mixed(names)

    return order


def _samples(source: Source, edition: Edition) -> Samples:
    """Make samples of names and texts; a name begins with split and sentiment."""
    texts, path, order = source
    counts: Counter[str] = Counter()
    # Words are numbered as they appear, because their frequencies are known only at the end; no word is empty.
    numbers = _Numbers({"": 0})
    reviews: dict[str, list[int]] = {}
    for name, content in texts:
        if name in reviews:
            raise damaged(path, f"{name!r} occurs twice in it")
        words = _words(content, name, path)
        if name.startswith("train/"):
            counts.update(words)
        reviews[name] = [numbers[word] for word in ["", *words][-_LENGTH:]]

    indices = np.full(len(numbers), UNKNOWN, np.int32)
    indices[0] = START
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[: _VOCABULARY - FIRST_WORD]
    for index, word in enumerate(ranked, start=FIRST_WORD):
        if word in numbers:
            indices[numbers[word]] = index
    batches = _batches({name: indices[review] for name, review in reviews.items()}, edition, order)
    return Samples(_CLASSES, batches, ("",) * FIRST_WORD + tuple(ranked))


def _batches(reviews: Mapping[str, NDArray[np.int32]], edition: Edition, order: Order) -> Iterator[Batch]:
    for split, _ in splits(edition.train_size, edition.test_size):
        names = order(split, [name for name in reviews if name.startswith(f"{split}/")])
        for start in range(0, len(names), _BATCH):
            batch = names[start : start + _BATCH]
            inputs = left_padded([reviews[name] for name in batch], _LENGTH)
            yield split, (inputs,), np.array(["/pos/" in name for name in batch], np.int64)


def _words(content: bytes, name: str, path: Path) -> list[str]:
    return _split(decoded(content, name, path))


def decoded(content: bytes, name: str, path: Path) -> str:
    """Return a review's text; raise ``RosettaError`` where it is none."""
    try:
        return content.decode()
    except UnicodeDecodeError as fault:
        raise damaged(path, f"{name!r} is not UTF-8 text: {fault.reason} at byte {fault.start}") from fault


def _split(text: str) -> list[str]:
    return text.lower().replace("<br />", " ").translate(_SPACES).split()


class _Numbers(dict[str, int]):
    """Numbers words in the order in which they are asked for."""

    def __missing__(self, word: str) -> int:
        self[word] = len(self)
        return self[word]


ARCHIVE = OriginalFile("aclImdb_v1.tar.gz", 84_125_825, "7c2ac02c03563afcf9b574c7e56c153a")
REPACKED = OriginalFile("aclImdb_labelled.tar.gz", 28_262_110, "0c221a250c7b34e5a0bff84b9bced037")
FOLDER = OriginalFolder(
    "aclImdb",
    parts=("test/neg", "test/pos", "train/neg", "train/pos"),
    pattern=r"\d+_\d+\.txt",
    files=50_000,
    size=65_483_508,
    md5="3e231e9277255ae2abf5188455046377",
)
_RANKS = OriginalFile("imdb.npz", 17_464_789, "599dadb1135973df5b59232a0e9a887c")
_CONTENT = ("a80020517ea870dc063388d4e6fe7f58", "6f2d1c4fa897440e3cbfec2543e97cfb")

DATASET = Dataset(
    name="imdb",
    title="IMDB",
    inputs=(InputArray("review", (_LENGTH,), "int32"),),
    scale=1.0,
    folder="imdb",
    class_names=_CLASSES,
    editions=(
        Edition("real", 25_000, 25_000, decode_archive, (ARCHIVE,)),
        # The labelled reviews alone, their texts untouched.
        Edition("real", 25_000, 25_000, decode_archive, (REPACKED,)),
        Edition("real", 25_000, 25_000, decode_folder, (FOLDER,)),
        Edition(
            *("real, from parquet", 25_000, 25_000, decode_parquet),
            train_files=(OriginalFile("train-*.parquet", 0, ""),),
            test_files=(OriginalFile("test-*.parquet", 0, ""),),
            content=_CONTENT,
            folders=("imdb/plain_text", "plain_text"),
        ),
        Edition("real, words as ranked by Keras", 25_000, 25_000, decode_ranks, (_RANKS,), folders=("datasets",)),
    ),
    downloads=(Download(ARCHIVE, ("https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",)),),
    generated=generated("synthetic", 25_000, 25_000, _CLASSES, synthetic_reviews),
    read_text=read_text,
)
