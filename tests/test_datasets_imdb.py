"""IMDB: reviews to indices, archives, folders and pickles that are wrong or hostile, the synthetic stand-in."""

import contextlib
import gzip
import hashlib
import io
import os
import pickle
import random
import re
import tarfile
import tracemalloc
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_files import Files, fault_of, link, load, original, put, store, tar_gz
from imdb_table import table

from rosetta.datasets import available, datasets, imdb_order, prepare
from rosetta.datasets.archives import members
from rosetta.datasets.content import seen
from rosetta.datasets.imdb import archived, decode_archive, decode_folder
from rosetta.datasets.imdb_ranks import decode_ranks, pickled_lists
from rosetta.datasets.originals import _md5_of_folder, files_in_folder
from rosetta.datasets.spec import Edition, Original, OriginalFolder, splits
from rosetta.datasets.synthetic_text import synthetic_reviews

# The real data


def test_imdb_is_decoded(real_data: Path, tmp_path: Path) -> None:
    prepared = prepare("imdb", real_data, tmp_path)
    train_inputs, train_labels, test_inputs, test_labels = load(prepared)
    assert (prepared.kind, prepared.scale, prepared.class_names) == ("real", 1.0, ("negative", "positive"))
    for inputs, labels in ((train_inputs, train_labels), (test_inputs, test_labels)):
        assert (inputs.shape, inputs.dtype, labels.dtype) == ((25000, 150), np.int32, np.int64)
        assert np.bincount(labels).tolist() == [12500, 12500]
        assert inputs.min() == 0
        assert 29_900 < inputs.max() < 30_000
        # A short run takes the first ones.
        assert 450 < labels[:1000].sum() < 550
    # The commonest words: the, and, a, of, to, is.
    frequent = np.bincount(train_inputs.ravel(), minlength=30000)
    assert frequent[3:9].min() > frequent[9:].max()
    # "Read the book, forget the movie!" is one of the shortest, and negative.
    seven = np.flatnonzero(np.count_nonzero(test_inputs, axis=1) == 7)
    (row,) = (row for row in seven if test_inputs[row, -7] == 1 and (test_inputs[row, [-5, -2]] == 3).all())
    assert test_labels[row] == 0


def test_the_sum_of_the_unpacked_folder(real_data: Path) -> None:
    """From the archive, because it takes long to unpack."""
    (folder,) = datasets()["imdb"].editions[2].files
    assert isinstance(folder, OriginalFolder)
    contents = {
        member.name.removeprefix("aclImdb/"): content.read()
        for member, content in members(real_data / "aclImdb_labelled.tar.gz")
        if content and re.fullmatch(r"aclImdb/(train|test)/(neg|pos)/.*", member.name)
    }
    total = hashlib.md5()
    for name, content in sorted(contents.items()):
        total.update(f"{name} {len(content)}\n".encode() + content)
    size = sum(map(len, contents.values()))
    assert (len(contents), size, total.hexdigest()) == (folder.files, folder.size, folder.md5)


# Small archives whose sums are made here


def texts(each: int = 3) -> Files:
    return {
        f"{split}/{kind}/{number}_{rating}.txt": f"A {word} film, number {number} of {split}.<br /><br />".encode()
        for split in ("train", "test")
        for kind, word, rating in (("neg", "bad", 2), ("pos", "good", 9))
        for number in range(each)
    }


def packed(files: Files) -> list[tuple[str, bytes]]:
    return [(f"aclImdb/{name}", content) for name, content in files.items()]


def imdb(monkeypatch: pytest.MonkeyPatch, folder: Path, content: bytes, each: int = 3) -> Path:
    """Let the name imdb mean this archive with ``each`` reviews of a kind, and put it into the folder."""
    declared = original("aclImdb_v1.tar.gz", content)
    edition = Edition("real", 2 * each, 2 * each, decode_archive, (declared,))
    put(monkeypatch, replace(datasets()["imdb"], editions=(edition,), downloads=()))
    return store(folder, {"imdb/aclImdb_v1.tar.gz": content})


def test_words_become_indices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = {
        "train/neg/0_1.txt": b"The BAD film.<br /><br />Bad, bad!",
        "train/pos/0_9.txt": "The good\tfilm; it's \u00c9ric's (good)".encode(),
        "test/neg/0_3.txt": b'the "unknown" BAD-thing',
        "test/pos/0_8.txt": b"film " + b"good " * 150,
    }
    data = imdb(monkeypatch, tmp_path / "data", tar_gz(*packed(files)), each=1)
    train_inputs, train_labels, test_inputs, test_labels = load(prepare("imdb", data, tmp_path / "cache"))
    # bad 3; film 2, good 2, the 2; it's 1, éric's 1
    bad, film, good, the, its, erics = range(3, 9)
    expected = {
        (0, 0): [1, the, bad, film, bad, bad],
        (0, 1): [1, the, good, film, its, erics, good],
        (1, 0): [1, the, 2, bad, 2],
        (1, 1): [good] * 150,
    }
    for split, inputs, labels in ((0, train_inputs, train_labels), (1, test_inputs, test_labels)):
        for review, label in zip(inputs.tolist(), labels.tolist(), strict=True):
            wanted = expected[split, label]
            assert review == [0] * (150 - len(wanted)) + wanted


def test_only_the_most_frequent_words_are_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = texts(1)
    files["train/neg/0_2.txt"] = b"d c b a e c"
    files["train/pos/0_9.txt"] = b"a a b"
    files["test/neg/0_2.txt"] = b"a b c d e f"
    monkeypatch.setattr("rosetta.datasets.imdb._VOCABULARY", 7)
    data = imdb(monkeypatch, tmp_path / "data", tar_gz(*packed(files)), each=1)
    _, _, test_inputs, test_labels = load(prepare("imdb", data, tmp_path / "cache"))
    # Of d and e, which occur once, the alphabetically first has the last place.
    assert test_inputs[test_labels == 0][0, -7:].tolist() == [1, 3, 4, 5, 6, 2, 2]


def test_the_order_in_the_archive_does_not_matter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    members = packed(texts(50))
    one = imdb(monkeypatch, tmp_path / "one", tar_gz(*members), each=50)
    first = prepare("imdb", one, tmp_path / "cache")
    random.Random(0).shuffle(members)
    other = imdb(monkeypatch, tmp_path / "other", tar_gz(*members), each=50)
    assert prepare("imdb", other, tmp_path / "cache").digest == first.digest
    _, _, _, test_labels = load(first)
    assert set(test_labels[:10]) == {0, 1}


def test_what_else_the_original_archive_holds_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    members = packed(texts())
    plain = prepare("imdb", imdb(monkeypatch, tmp_path / "one", tar_gz(*members)), tmp_path / "cache")
    folder = tarfile.TarInfo("aclImdb/train")
    folder.type = tarfile.DIRTYPE
    more: list[tuple[tarfile.TarInfo | str, bytes]] = [
        (folder, b""),
        ("aclImdb/imdb.vocab", b"the\n"),
        ("aclImdb/train/unsup/0_0.txt", b"\xff"),
        ("aclImdb/train/labeledBow.feat", bytes(100_000)),
    ]
    full = imdb(monkeypatch, tmp_path / "two", tar_gz(*more, *members))
    assert prepare("imdb", full, tmp_path / "cache").digest == plain.digest


def header_only(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    member.type = kind
    return gzip.compress(member.tobuf(tarfile.GNU_FORMAT), mtime=0)


def long_header() -> tarfile.TarInfo:
    member = tarfile.TarInfo("aclImdb/README")
    member.pax_headers = {"comment": "x" * (1 << 20)}
    return member


GOOD = packed(texts())
REVIEW, CONTENT = GOOD[0]


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (tar_gz(("../escaped.txt", b"x"), *GOOD), r"its member '\.\./escaped\.txt' leads out of the folder"),
        (tar_gz(("aclImdb/../../x.txt", b"x"), *GOOD), "leads out of the folder"),
        (tar_gz(("/tmp/escaped.txt", b"x"), *GOOD), "leads out of the folder"),
        (tar_gz(link(REVIEW, tarfile.SYMTYPE), *GOOD), f"'{REVIEW}' is a link or a device"),
        (tar_gz(link(REVIEW, tarfile.LNKTYPE, GOOD[1][0]), *GOOD), "is a link or a device"),
        (tar_gz(link("aclImdb/null", tarfile.CHRTYPE), *GOOD), "is a link or a device"),
        (tar_gz(link("aclImdb/pipe", tarfile.FIFOTYPE), *GOOD), "is a link or a device"),
        (tar_gz((REVIEW, bytes(1 << 20)), *GOOD), r"has 1,048,576 bytes, no review is that long"),
        (header_only("aclImdb/x.feat", 2 << 30), r"unpacks to more than 1,073,741,824 bytes"),
        (header_only("aclImdb/x", 1 << 16, tarfile.GNUTYPE_SPARSE), "is damaged|sparse"),
        (tar_gz((long_header(), b""), *GOOD), "a header of more than 65,536 bytes"),
        (tar_gz(*GOOD, GOOD[0]), "occurs twice"),
        (tar_gz(*GOOD[1:]), r"2 reviews in train/neg, expected 3"),
        (tar_gz(*GOOD, ("aclImdb/test/pos/3_9.txt", b"x")), r"4 reviews in test/pos, expected 3"),
        (tar_gz((REVIEW, "café".encode("latin-1")), *GOOD[1:]), f"{REVIEW[8:]}' is not UTF-8 text: .* at byte 3"),
        (tar_gz(("cifar-10-batches-bin/data_batch_1.bin", bytes(3073))), "0 reviews in train/neg"),
        (tar_gz(), "0 reviews"),
        (b"", "is damaged"),
        (b"<html>log in first</html>", "Not a gzipped file"),
        (gzip.compress(b"no archive at all" * 100, mtime=0), "is damaged"),
        (tar_gz(*GOOD)[:-100], "is damaged: Compressed file ended"),
        (tar_gz(*GOOD)[:200] + b"\xff" * 50 + tar_gz(*GOOD)[250:], "is damaged"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_archives_that_are_not_right(
    content: bytes, cause: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = imdb(monkeypatch, tmp_path / "data", content)
    fault = fault_of("imdb", data, tmp_path / "cache")
    assert str(data / "imdb" / "aclImdb_v1.tar.gz") in fault.cause
    assert re.search(cause, fault.cause)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "data"]
    assert not list(tmp_path.rglob("*.npy")), "no half-written arrays may stay"
    good = imdb(monkeypatch, tmp_path / "data", tar_gz(*GOOD))
    assert prepare("imdb", good, tmp_path / "cache").kind == "real"


def test_an_archive_with_any_byte_changed_does_no_harm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = gzip.decompress(tar_gz(*GOOD))
    rng = random.Random(0)
    for _ in range(100):
        changed = bytearray(content)
        # Mostly in a header, where it matters.
        changed[rng.randrange(len(content) // 1024) * 1024 + rng.randrange(512)] = rng.randrange(256)
        data = imdb(monkeypatch, tmp_path / "data", gzip.compress(bytes(changed), compresslevel=1))
        try:
            prepare("imdb", data, tmp_path / "cache")
        except Exception as fault:
            assert type(fault).__name__ == "RosettaError"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "data"]


def test_bombs_are_not_unpacked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    header = tarfile.TarInfo("aclImdb/x")
    header.type, header.size = tarfile.XHDTYPE, 64 << 20
    packer = zlib.compressobj(1, wbits=31)
    bomb = packer.compress(header.tobuf(tarfile.GNU_FORMAT))
    bomb += b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    data = imdb(monkeypatch, tmp_path / "data", bomb)
    tracemalloc.start()
    try:
        assert "a header of more than 65,536 bytes" in fault_of("imdb", data, tmp_path / "cache").cause
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


# The unpacked folder


def unpacked(monkeypatch: pytest.MonkeyPatch, folder: Path, files: Files, each: int = 3) -> Path:
    """Let the name imdb mean a folder with these reviews, and make it."""
    store(folder / "aclImdb", files)
    size = sum(map(len, files.values()))
    declared = OriginalFolder(
        "aclImdb", ("test/neg", "test/pos", "train/neg", "train/pos"), r"\d+_\d+\.txt", 4 * each, size, ""
    )
    found = files_in_folder(folder / "aclImdb", declared)
    files_of_edition: tuple[Original, ...] = (replace(declared, md5=_md5_of_folder(found)),)
    edition = Edition("real", 2 * each, 2 * each, decode_folder, files_of_edition)
    put(monkeypatch, replace(datasets()["imdb"], editions=(edition,), downloads=()))
    return folder


def test_the_folder_is_decoded_like_the_archive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    archived = prepare("imdb", imdb(monkeypatch, tmp_path / "one", tar_gz(*GOOD)), tmp_path / "cache")
    data = unpacked(monkeypatch, tmp_path / "data", texts())
    store(data / "aclImdb", {"imdb.vocab": b"the", "train/unsup/0_0.txt": b"?", "train/pos/.directory": b"?"})
    assert prepare("imdb", data, tmp_path / "cache").digest == archived.digest


def into_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda path: path.unlink(), "aclImdb is incomplete: 11 files, expected 12"),
        (lambda path: path.with_name("9_9.txt").write_bytes(b"?"), "is not the original: 13 files"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "aclImdb is truncated"),
        (lambda path: path.write_bytes(path.read_bytes().swapcase()), "aclImdb has a wrong checksum"),
        (lambda path: path.rename(path.with_name("7_9.txt")), "aclImdb has a wrong checksum"),
        (lambda path: (path.unlink(), path.symlink_to("/etc/passwd")), "0_9.txt is not a regular file"),
        (lambda path: (path.unlink(), path.mkdir()), "0_9.txt is not a regular file"),
        (into_pipe, "0_9.txt is not a regular file"),
        (lambda path: path.parent.rename(path.parent.with_name("away")), "train/pos is missing"),
    ],
)
def test_a_folder_that_is_not_right(change, cause: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = unpacked(monkeypatch, tmp_path / "data", texts())
    assert prepare("imdb", data, tmp_path / "cache").kind == "real"
    change(data / "aclImdb" / "train" / "pos" / "0_9.txt")
    assert cause in fault_of("imdb", data, tmp_path / "cache").cause
    assert cause in available("imdb", data, tmp_path / "cache")


# Hugging Face's parquet, which has no paths

Rows = list[tuple[Any, Any]]
EACH = 8
LONG = [f"word{number}" for number in range(200)]
REVIEWS = texts(EACH) | {
    # One text twice, one under both sentiments, one of which the networks see the end only.
    "train/neg/0_2.txt": b"Seen twice.",
    "train/neg/1_2.txt": b"Seen twice.",
    "train/pos/0_9.txt": b"Seen once more.",
    "train/neg/2_2.txt": b"Seen once more.",
    "test/pos/0_9.txt": " ".join(LONG).encode(),
}


def rows_of(reviews: Files) -> dict[str, Rows]:
    """As Hugging Face has them: the negative ones first."""
    found: dict[str, Rows] = {"train": [], "test": []}
    for name, content in sorted(reviews.items()):
        found[name.split("/")[0]].append((content.decode(), int("/pos/" in name)))
    return found


def parquet(rows: Rows, text: str = "text", label: str = "label") -> bytes:
    pyarrow, written = pytest.importorskip("pyarrow"), io.BytesIO()
    from pyarrow.parquet import write_table

    write_table(pyarrow.table({text: [row[0] for row in rows], label: [row[1] for row in rows]}), written)
    return written.getvalue()


def whole(rows: dict[str, Rows]) -> Files:
    return {f"{split}-00000-of-00001.parquet": parquet(rows[split]) for split in ("train", "test")}


def hugging_face(monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    """Let the name imdb mean parquet files of REVIEWS; return the digest of what their archive holds."""
    archive = imdb(monkeypatch, folder / "archive", tar_gz(*packed(REVIEWS)), each=EACH)
    digest = prepare("imdb", archive, folder / "archive-cache").digest
    edition = Edition("real", 2 * EACH, 2 * EACH, decode_archive, (original("aclImdb_v1.tar.gz", b""),))
    sums = seen(decode_archive(archive / "imdb", edition)).sums
    places, sums_of_names = table(REVIEWS.items())
    np.save(folder / "order.npy", places)
    monkeypatch.setattr("rosetta.datasets.imdb_order._TABLE", folder / "order.npy")
    monkeypatch.setattr("rosetta.datasets.imdb_order._SUMS", sums_of_names)
    known = datasets()["imdb"]
    (declared,) = (edition for edition in known.editions if edition.kind == "real, from parquet")
    small = replace(declared, train_size=2 * EACH, test_size=2 * EACH, content=(sums["train"], sums["test"]))
    put(monkeypatch, replace(known, editions=(small,), downloads=()))
    return digest


@pytest.mark.parametrize("folder", ["", "imdb", "plain_text", "imdb/plain_text"])
def test_parquet_is_found_and_put_into_the_archives_order(
    folder: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    digest = hugging_face(monkeypatch, tmp_path)
    unsupervised = {"unsupervised-00000-of-00001.parquet": parquet([("What a film.", -1)])}
    data = tmp_path / "data"
    store(data / folder, whole(rows_of(REVIEWS)) | unsupervised)
    assert available("imdb", data, tmp_path / "cache") == f"real, from parquet (in {data / folder})"
    prepared = prepare("imdb", data, tmp_path / "cache")
    assert (prepared.kind, prepared.digest) == ("real, from parquet", digest)
    assert prepared.class_names == ("negative", "positive")


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_the_rows_does_not_matter(seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    digest = hugging_face(monkeypatch, tmp_path)
    rows = rows_of(REVIEWS)
    for part in rows.values():
        random.Random(seed).shuffle(part)
    files = {f"train-{number}.parquet": parquet(rows["train"][number::2]) for number in range(2)}
    store(tmp_path / "data", files | {"test-0.parquet": parquet(rows["test"])})
    assert prepare("imdb", tmp_path / "data", tmp_path / "cache").digest == digest


def exchanged(rows: Rows, first: int, second: int) -> Rows:
    """Give two reviews each other's sentiment."""
    changed = list(rows)
    changed[first], changed[second] = (rows[first][0], rows[second][1]), (rows[second][0], rows[first][1])
    return changed


def without_order(rows: Rows) -> Rows:
    """Exchange two words that no network sees."""
    return [(text.replace("word0 word1 ", "word1 word0 "), label) for text, label in rows]


@pytest.mark.parametrize(
    ("split", "change"),
    [
        ("train", lambda rows: exchanged(rows, 3, -1)),
        ("test", lambda rows: exchanged(rows, 3, -1)),
        ("train", lambda rows: [rows[4], *rows[1:]]),
        ("test", without_order),
    ],
)
def test_other_reviews_are_refused_and_taken_only_by_the_switch(
    split: str, change: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    digest = hugging_face(monkeypatch, tmp_path)
    rows = rows_of(REVIEWS)
    other = rows | {split: change(rows[split])}
    assert sorted(other[split]) != sorted(rows[split])
    store(tmp_path / "data", whole(other))
    fault = fault_of("imdb", tmp_path / "data", tmp_path / "cache")
    assert fault.cause == f"{tmp_path / 'data' / 'train-00000-of-00001.parquet'} is something else, not IMDB."
    assert "--data-as-is" in fault.remedy
    taken = prepare("imdb", tmp_path / "data", tmp_path / "cache", as_is=True)
    assert (taken.kind, taken.class_names) == ("not IMDB, taken as it is", ("0", "1"))
    assert np.bincount(load(taken)[1]).tolist() == [sum(label == k for _, label in other["train"]) for k in (0, 1)]
    random.Random(0).shuffle(other[split])
    store(tmp_path / "data", whole(other))
    assert prepare("imdb", tmp_path / "data", tmp_path / "cache", as_is=True).digest == taken.digest
    store(tmp_path / "data", whole(rows))
    genuine = prepare("imdb", tmp_path / "data", tmp_path / "cache", as_is=True)
    assert (genuine.kind, genuine.digest) == ("real, from parquet", digest)


def test_parquet_that_is_not_right_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hugging_face(monkeypatch, tmp_path)
    rows = rows_of(REVIEWS)["train"]
    cases = [
        ("a row has no label", parquet([("What a film.", -1), *rows[1:]])),
        ("sample 2 has label 2, expected 0 to 1", parquet([*rows[:2], (rows[2][0], 2), *rows[3:]])),
        ("a row holds no text", parquet([(None, 0), *rows[1:]])),
        ("its columns are review, label, not a text and a label", parquet(rows, "review")),
        ("its columns are text, sentiment, not a text and a label", parquet(rows, label="sentiment")),
        ("it holds 1 samples more than there are", parquet([*rows, rows[0]])),
        ("15 train samples, expected 16", parquet(rows[1:])),
        ("a text has 65,537 bytes", parquet([("a" * 65_537, 0), *rows[1:]])),
        ("is damaged", parquet(rows)[:-20]),
        ("a row holds no text", parquet([(1, label) for _, label in rows])),
    ]
    for cause, content in cases:
        store(tmp_path / "data", whole(rows_of(REVIEWS)) | {"train-00000-of-00001.parquet": content})
        found = fault_of("imdb", tmp_path / "data", tmp_path / "cache").cause
        assert cause in found
        assert str(tmp_path / "data" / "train-00000-of-00001.parquet") in found


def test_a_text_that_a_small_file_repeats_is_held_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hugging_face(monkeypatch, tmp_path)
    repeated = parquet([("a" * (16 << 20), 0)] * 2 * EACH)
    assert len(repeated) < 4 << 20
    store(tmp_path / "data", whole(rows_of(REVIEWS)) | {"train-00000-of-00001.parquet": repeated})
    tracemalloc.start()
    try:
        assert "a text has 16,777,216 bytes" in fault_of("imdb", tmp_path / "data", tmp_path / "cache").cause
        assert tracemalloc.get_traced_memory()[1] < 80 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.long
def test_the_real_reviews_in_parquet_have_the_archives_digest(real_data: Path, tmp_path: Path) -> None:
    wanted = prepare("imdb", real_data, tmp_path / "cache")
    reviews = dict(archived(real_data / "aclImdb_labelled.tar.gz"))
    places, sums = table(reviews.items())
    assert np.array_equal(places, np.load(imdb_order._TABLE))
    assert sums == imdb_order._SUMS
    rows = rows_of(reviews)
    # What Hugging Face says of its splits, "num_bytes": texts, an offset of 4 bytes and a label of 8 each.
    for split, size in splits(33_432_823, 32_650_685):
        assert sum(len(text.encode()) + 12 for text, _ in rows[split]) == size
        random.Random(0).shuffle(rows[split])
    store(tmp_path / "data" / "imdb" / "plain_text", whole(rows))
    prepared = prepare("imdb", tmp_path / "data", tmp_path / "cache")
    assert (prepared.kind, prepared.digest) == ("real, from parquet", wanted.digest)
    assert prepared.vocabulary == wanted.vocabulary
    other = next(number for number, (_, label) in enumerate(rows["test"]) if label != rows["test"][0][1])
    store(tmp_path / "data" / "imdb" / "plain_text", whole(rows | {"test": exchanged(rows["test"], 0, other)}))
    assert "is something else, not IMDB" in fault_of("imdb", tmp_path / "data", tmp_path / "cache").cause


# Keras' own file


def object_array(lists: list[object]) -> np.ndarray:
    array = np.empty(len(lists), dtype=object)
    array[:] = lists
    return array


def npy(shape: tuple[int, ...], descr: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue() + content


def npz(members: Files) -> bytes:
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(f"{name}.npy", content)
    return stored.getvalue()


RANKS: list[object] = [[1, 300, 5, 70_000, 29_997, 29_998], [], [7], list(range(1, 2501))]


def ranks_members(lists: list[object] = RANKS, protocol: int = 2) -> Files:
    pickled = pickle.dumps(object_array(lists), protocol)
    labels = np.arange(len(lists), dtype="<i8") % 2
    return {
        f"{kind}_{split}": content
        for split in ("train", "test")
        for kind, content in (
            ("x", npy((len(lists),), "|O", pickled)),
            ("y", npy((len(lists),), "<i8", labels.tobytes())),
        )
    }


def keras(monkeypatch: pytest.MonkeyPatch, folder: Path, content: bytes) -> Path:
    edition = Edition("real, words as ranked by Keras", 4, 4, decode_ranks, (original("imdb.npz", content),))
    put(monkeypatch, replace(datasets()["imdb"], editions=(edition,), downloads=()))
    return store(folder, {"imdb.npz": content})


@pytest.mark.parametrize("protocol", [2, 3])
def test_ranks_become_indices(protocol: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = keras(monkeypatch, tmp_path / "data", npz(ranks_members(protocol=protocol)))
    prepared = prepare("imdb", data, tmp_path / "cache")
    assert prepared.kind == "real, words as ranked by Keras"
    train_inputs, train_labels, test_inputs, _ = load(prepared)
    assert np.array_equal(train_inputs, test_inputs)
    found = {tuple(row[row > 0].tolist()): label for row, label in zip(train_inputs, train_labels, strict=True)}
    assert found == {(1, 3, 302, 7, 2, 29_999, 2): 0, (1,): 1, (1, 9): 0, tuple(range(2353, 2503)): 1}
    assert (train_inputs[:, -1] != 0).all()


def test_a_pickle_of_python_2_is_read() -> None:
    wrapping = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03"
        b"(K\x01K\x02\x85cnumpy\ndtype\nq\x04U\x02O8K\x00K\x01\x87Rq\x05(K\x03U\x01|NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK?tb\x89"
    )
    lists = pickled_lists(wrapping + b"]q\x06(]q\x07(K\x01M\x05\x01e]q\x08K\x09aetb.")
    assert [array.tolist() for array in lists] == [[1, 261], [9]]


class Call:
    """Calls a function when it is unpickled."""

    def __init__(self, function: object, *arguments: object):
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


@pytest.mark.parametrize(
    "lists",
    [
        [[1], [2.5]],
        [[1], ["2"]],
        [[1], [[2]]],
        [[1], [None]],
        [[1], [1 << 40]],
        [[1], {"a": 1}],
        [[1], (2, 3)],
        [[1], [np.int64(3)]],
        [1, 2],
    ],
)
def test_other_pickles_are_refused(lists: list[object]) -> None:
    with pytest.raises(ValueError, match="list"):
        pickled_lists(pickle.dumps(object_array(lists), 2))


def test_a_pickle_that_runs_code_does_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    members = ranks_members([[1], [2], [3], Call(os.mkdir, str(trap))])
    data = keras(monkeypatch, tmp_path / "data", npz(members))
    cause = fault_of("imdb", data, tmp_path / "cache").cause
    assert "x_train: GLOBAL" in cause
    assert "mkdir at byte" in cause
    assert not trap.exists()
    # Not even if it is hidden behind the array, or only pretends to be one.
    for payload in (pickle.dumps(Call(os.mkdir, str(trap)), 0), pickle.dumps(Call(os.mkdir, str(trap)), 4), b"", b"."):
        with pytest.raises(ValueError):
            pickled_lists(payload)
    assert not trap.exists()


def test_a_pickle_with_any_byte_changed_or_missing_does_no_harm() -> None:
    content = pickle.dumps(object_array([[1, 300], [70_000]]), 2)
    for position in range(len(content)):
        for value in (0, 40, 93, 97, 101, 116, 255):
            changed = bytearray(content)
            changed[position] = value
            with contextlib.suppress(ValueError):
                assert all(array.dtype == np.int32 for array in pickled_lists(bytes(changed)))
        with pytest.raises(ValueError):
            pickled_lists(content[:position])


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"x_test": b""}, "x_test"),
        (
            {"x_test": npy((3,), "|O", pickle.dumps(object_array([[1], [2], [3]]), 2))},
            "x_test: not an array of 4 lists",
        ),
        ({"x_test": npy((4,), "|O", pickle.dumps(object_array([[1], [2], [3]]), 2))}, "x_test: not 4 lists of ranks"),
        ({"x_test": npy((4,), "|O", pickle.dumps(object_array([[1], [2], [3], [0]]), 2))}, "ranks from 1"),
        ({"x_test": npy((4,), "<i8", bytes(32))}, "x_test: not an array of 4 lists"),
        ({"y_test": npy((4,), "<i8", bytes(31))}, "y_test: not 4 integers"),
        ({"y_test": npy((4,), "<f8", bytes(32))}, "y_test: not 4 integers"),
        ({"y_test": npy((4,), "|O", bytes(32))}, "y_test: not 4 integers"),
        ({"y_test": npy((4,), "<i8", np.array([0, 1, 2, 0]).tobytes())}, "sample 2 has label 2"),
        ({"y_test": npy((4,), "<i8", np.array([0, -1, 1, 0]).tobytes())}, "sample 1 has label"),
        ({"x_train": bytes((1 << 26) + 1)}, r"x_train.npy unpacks to 67,108,865 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_npz_files_that_are_not_right(
    changes: Files, cause: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = keras(monkeypatch, tmp_path / "data", npz(ranks_members() | changes))
    found = fault_of("imdb", data, tmp_path / "cache").cause
    assert str(data / "imdb.npz") in found
    assert cause in found
    assert not list(tmp_path.rglob("*.npy"))


def test_npz_files_that_are_no_npz(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    members = ranks_members()
    del members["y_train"]
    whole = npz(ranks_members())
    for content, cause in ((npz(members), "it lacks y_train.npy"), (whole[:-30], "zip"), (b"no zip", "zip")):
        assert cause in fault_of("imdb", keras(monkeypatch, tmp_path / "data", content), tmp_path / "cache").cause


# The stand-in


def test_synthetic_reviews_can_be_learned() -> None:
    batches = list(synthetic_reviews(4000, 1000))
    inputs = np.concatenate([reviews for _, (reviews,), _ in batches])
    labels = np.concatenate([labels for _, _, labels in batches])
    assert (inputs.shape, inputs.dtype, labels.dtype) == ((5000, 150), np.int32, np.int64)
    assert (inputs[:, -1] > 2).all()
    assert inputs.max() < 30_000
    assert 0.45 < labels.mean() < 0.55
    # Naive Bayes: how much more often does each word occur in positive reviews?
    counts = [np.bincount(inputs[:4000][labels[:4000] == label].ravel(), minlength=30_000) + 1 for label in (0, 1)]
    evidence = np.log(counts[1] / counts[0])
    evidence[0] = 0
    accuracy = np.mean((evidence[inputs[4000:]].sum(1) > 0) == labels[4000:])
    assert 0.7 < accuracy < 0.95


def test_synthetic_reviews_have_not_changed() -> None:
    """A change here needs a higher revision of the synthetic edition, so that old caches are not used."""
    _, (inputs,), labels = next(synthetic_reviews(1000, 0))
    assert (zlib.crc32(inputs.tobytes()), zlib.crc32(labels.tobytes())) == (2220508103, 1037857503)


def test_synthetic_reviews_take_over_and_say_so(tmp_path: Path) -> None:
    said: list[str] = []
    prepared = prepare("imdb", None, tmp_path, download=False, say=said.append)
    assert prepared.kind == "synthetic"
    assert any("Generating synthetic data in the shape of IMDB" in line for line in said)
    train_inputs, _, test_inputs, _ = load(prepared)
    assert train_inputs.shape == test_inputs.shape == (25000, 150)
    assert prepared.preparation_seconds < 20


def test_a_text_is_read_as_the_reviews_are(real_data: Path, tmp_path: Path) -> None:
    prepared = prepare("imdb", real_data, tmp_path)
    assert len(prepared.vocabulary) == 30_000
    assert prepared.vocabulary[:6] == ("", "", "", "the", "and", "a")
    read_text = datasets()["imdb"].read_text
    assert read_text is not None
    (review,), notes = read_text("Read the book, forget the movie!", prepared.vocabulary)
    assert notes == ()
    rows = np.load(prepared.test_inputs[0], mmap_mode="r")
    assert (rows == review).all(axis=1).any(), "one of the test reviews says just that"
    (words,), notes = read_text("The <br />THE, unheardofword " + "a " * 200, prepared.vocabulary)
    assert notes == ("the last 150 of its 203 words",)
    assert words.shape == (150,) and (words == 5).all(), "the last 150 words"
    (words,), _ = read_text("The <br />THE, unheardofword", prepared.vocabulary)
    assert words[-4:].tolist() == [1, 3, 3, 2] and not words[:-4].any()
    assert prepare("imdb", None, tmp_path / "none", download=False).vocabulary == (), "synthetic words have no spelling"
