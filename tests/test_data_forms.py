"""Data in the forms that people have: each gives what the original gives, and what is something else is named."""

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_files import Files, fault_of, link, load, original, put, store, tar_gz
from PIL import Image

from rosetta.datasets import available, datasets, prepare
from rosetta.datasets import cifar10 as cifar10_module
from rosetta.datasets import mnist as mnist_module
from rosetta.datasets.content import Seen
from rosetta.datasets.pickles import read_pickle
from rosetta.datasets.spec import Dataset, Edition, OriginalFile

TRAIN, TEST = 30, 20
RNG = np.random.default_rng(0)
MNIST = {
    "train": (RNG.integers(0, 256, (TRAIN, 28, 28), np.uint8), RNG.integers(0, 10, TRAIN, np.uint8)),
    "test": (RNG.integers(0, 256, (TEST, 28, 28), np.uint8), RNG.integers(0, 10, TEST, np.uint8)),
}
CIFAR10 = {
    "train": (RNG.integers(0, 256, (TRAIN, 3, 32, 32), np.uint8), RNG.integers(0, 10, TRAIN, np.uint8)),
    "test": (RNG.integers(0, 256, (TEST, 3, 32, 32), np.uint8), RNG.integers(0, 10, TEST, np.uint8)),
}
Split = tuple[np.ndarray, np.ndarray]
Data = dict[str, Split]
EACH = TRAIN // 5


@pytest.fixture(autouse=True)
def no_keras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def records(pixels: np.ndarray, labels: np.ndarray) -> bytes:
    """A label's byte and the image's bytes, again and again: CIFAR-10's binary version."""
    return b"".join(bytes([label]) + image.tobytes() for image, label in zip(pixels, labels, strict=True))


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


def npz(arrays: dict[str, np.ndarray]) -> bytes:
    stored = io.BytesIO()
    np.savez(stored, allow_pickle=True, **arrays)
    return stored.getvalue()


def python2(pixels: np.ndarray, labels: np.ndarray) -> bytes:
    """A batch as Python 2's cPickle wrote it: its bytes are BINSTRINGs, its globals numpy.core's."""

    def text(value: str) -> bytes:
        return b"U" + bytes([len(value)]) + value.encode()

    numbers = b"".join(b"K" + bytes([label]) for label in labels)
    content = pixels.tobytes()
    short = struct.Struct("<H").pack
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85q\x09U\x01bq\x0a\x87q\x0bRq\x0c"
        + b"(K\x01M" + short(len(labels)) + b"M" + short(3072) + b"\x86q\x0dcnumpy\ndtype\nq\x0e"
        + b"U\x02u1q\x0fK\x00K\x01\x87q\x10Rq\x11(K\x03U\x01|q\x12NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x13b\x89"
        + b"T" + struct.pack("<i", len(content)) + content + b"q\x14tq\x15b"
    )  # fmt: skip
    items = text("batch_label") + text("training batch 1 of 5") + text("labels") + b"]q\x05(" + numbers + b"e"
    return b"\x80\x02}q\x01(" + items + text("data") + array + text("filenames") + b"](" + text("a.png") + b"eu."


def python3(protocol: int) -> Callable[[np.ndarray, np.ndarray], bytes]:
    def pickled(pixels: np.ndarray, labels: np.ndarray) -> bytes:
        batch = {b"labels": labels.tolist(), b"data": pixels.reshape(len(labels), -1), b"filenames": [b"a.png"]}
        return pickle.dumps(batch, protocol)

    return pickled


def batches(data: Data, pickled: Callable[[np.ndarray, np.ndarray], bytes]) -> Files:
    pixels, labels = data["train"]
    rows = [slice(start, start + EACH) for start in range(0, TRAIN, EACH)]
    files = {f"data_batch_{number}": pickled(pixels[part], labels[part]) for number, part in enumerate(rows, 1)}
    return files | {"test_batch": pickled(*data["test"])}


def archive(files: Files) -> bytes:
    """In the order of the original archive's members, which isn't the batches'."""
    order = ["data_batch_4", "test_batch", "data_batch_3", "data_batch_2", "data_batch_5", "data_batch_1"]
    return tar_gz(("cifar-10-batches-py/readme.html", b"x"), *((f"cifar-10-batches-py/{n}", files[n]) for n in order))


def parquet(parts: list[Split], column: str = "image") -> bytes:
    pyarrow, written = pytest.importorskip("pyarrow"), io.BytesIO()
    from pyarrow.parquet import write_table

    def png(pixels: np.ndarray) -> dict[str, Any]:
        stored = io.BytesIO()
        Image.fromarray(pixels if pixels.ndim == 2 else pixels.transpose(1, 2, 0)).save(stored, "PNG")
        return {"bytes": stored.getvalue(), "path": None}

    images = [png(image) for pixels, _ in parts for image in pixels]
    labels = [int(label) for _, labels in parts for label in labels]
    write_table(pyarrow.table({column: images, "label": labels}), written)
    return written.getvalue()


def tiny(monkeypatch: pytest.MonkeyPatch, name: str, data: Data) -> Dataset:
    """Let the data set be this small one, known by its content alone."""
    known = datasets()[name]
    content = (md5(records(*data["train"])), md5(records(*data["test"])))

    def small(edition: Edition) -> Edition:
        def files(files: tuple[Any, ...]) -> tuple[OriginalFile, ...]:
            return tuple(replace(file, size=0, md5="") for file in files)

        train, test = files(edition.train_files), files(edition.test_files)
        return replace(edition, train_size=TRAIN, test_size=TEST, train_files=train, test_files=test, content=content)

    whole = [small(edition) for edition in known.editions if edition.test_size == 10_000 and edition.kind != "real"]
    dataset = replace(known, editions=tuple(whole), downloads=())
    put(monkeypatch, dataset)
    return dataset


def assert_is(data: Data, prepared: Any) -> None:
    found = load(prepared)
    for array, wanted in zip(found, (*data["train"], *data["test"]), strict=True):
        assert np.array_equal(array, wanted)


MNIST_IDX = {
    "train-images-idx3-ubyte": idx(MNIST["train"][0]),
    "train-labels-idx1-ubyte": idx(MNIST["train"][1]),
    "t10k-images-idx3-ubyte": idx(MNIST["test"][0]),
    "t10k-labels-idx1-ubyte": idx(MNIST["test"][1]),
}
MNIST_NPZ = npz({f"{a}_{split}": MNIST[split][number] for split in ("train", "test") for number, a in enumerate("xy")})


@pytest.mark.parametrize(
    ("folder", "files", "kind"),
    [
        ("mnist", MNIST_IDX, "real, unzipped"),
        ("MNIST/raw", MNIST_IDX, "real, unzipped"),
        ("", {"mnist.npz": MNIST_NPZ}, "real, from Keras' mnist.npz"),
        ("datasets", {"mnist.npz": MNIST_NPZ}, "real, from Keras' mnist.npz"),
    ],
)
def test_mnist_in_every_form_is_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str, files: Files, kind: str
) -> None:
    tiny(monkeypatch, "mnist", MNIST)
    data = tmp_path / "data"
    store(data / folder, files)
    assert available("mnist", data, tmp_path / "cache") == f"{kind} (in {data / folder})"
    prepared = prepare("mnist", data, tmp_path / "cache")
    assert prepared.kind == kind
    assert_is(MNIST, prepared)
    assert prepare("mnist", data, tmp_path / "cache").digest == prepared.digest


PY2, PY3 = batches(CIFAR10, python2), batches(CIFAR10, python3(2))


@pytest.mark.parametrize(
    ("folder", "files"),
    [
        ("cifar-10-batches-py", PY2),
        ("cifar-10-batches-py", PY3),
        ("cifar-10-batches-py", batches(CIFAR10, python3(3))),
        ("datasets/cifar-10-batches-py", PY2),
        ("datasets/cifar-10-batches-py-target/cifar-10-batches-py", PY2),
        ("", {"cifar-10-python.tar.gz": archive(PY2)}),
        ("datasets", {"cifar-10-batches-py.tar.gz": archive(PY3)}),
    ],
)
def test_cifar10_of_python_is_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str, files: Files
) -> None:
    tiny(monkeypatch, "cifar10", CIFAR10)
    store(tmp_path / "data" / folder, files)
    prepared = prepare("cifar10", tmp_path / "data", tmp_path / "cache")
    assert prepared.kind == "real, from Python's batches"
    assert_is(CIFAR10, prepared)


def test_mnist_of_hugging_face_is_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tiny(monkeypatch, "mnist", MNIST)
    pixels, labels = MNIST["train"]
    halves = [parquet([(pixels[rows], labels[rows])]) for rows in (slice(0, 17), slice(17, None))]
    names = [f"mnist/train-0000{number}-of-00002-0a1b.parquet" for number in range(2)]
    files = dict(zip(names, halves, strict=True)) | {"mnist/test-00000-of-00001.parquet": parquet([MNIST["test"]])}
    store(tmp_path / "data", files)
    prepared = prepare("mnist", tmp_path / "data", tmp_path / "cache")
    assert prepared.kind == "real, from parquet"
    assert_is(MNIST, prepared)


def test_cifar10_of_hugging_face_is_put_into_the_originals_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tiny(monkeypatch, "cifar10", CIFAR10)
    pixels, labels = CIFAR10["train"]
    parts = [(pixels[start : start + EACH], labels[start : start + EACH]) for start in range(0, TRAIN, EACH)]
    monkeypatch.setattr(
        cifar10_module, "_TRAIN", [original(str(number), records(*part)) for number, part in enumerate(parts)]
    )
    files = {
        "plain_text/train-00000-of-00001.parquet": parquet([parts[number] for number in (3, 2, 1, 4, 0)], "img"),
        "plain_text/test-00000-of-00001.parquet": parquet([CIFAR10["test"]], "img"),
    }
    store(tmp_path / "data", files)
    assert_is(CIFAR10, prepare("cifar10", tmp_path / "data", tmp_path / "cache"))


def test_without_pyarrow_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tiny(monkeypatch, "mnist", MNIST)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    store(tmp_path / "data", {"train-0.parquet": b"PAR1", "test-0.parquet": b"PAR1"})
    fault = fault_of("mnist", tmp_path / "data", tmp_path / "cache")
    assert "train-0.parquet is parquet, which needs the package pyarrow" in fault.cause
    assert fault.remedy == "pip install 'rosetta-dl[parquet]'"


def test_parquet_that_is_not_right_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tiny(monkeypatch, "mnist", MNIST)
    good, (pixels, labels) = parquet([MNIST["test"]]), MNIST["train"]
    cases = {
        "its columns are picture, label": parquet([MNIST["train"]], "picture"),
        "expected L of 28 × 28": parquet([(pixels[:, :20], labels)]),
        "samples more than there are": parquet([MNIST["train"], MNIST["test"]]),
        "train samples, expected 30": parquet([(pixels[:9], labels[:9])]),
        "is something else, not MNIST": parquet([(pixels[::-1], labels)]),
        "is damaged": good[:200],
    }
    for cause, content in cases.items():
        store(tmp_path / "data", {"train-0.parquet": content, "test-0.parquet": good})
        assert cause in fault_of("mnist", tmp_path / "data", tmp_path / "cache").cause


def test_an_image_that_a_small_file_repeats_is_held_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tiny(monkeypatch, "mnist", MNIST)
    pyarrow, written = pytest.importorskip("pyarrow"), io.BytesIO()
    from pyarrow.parquet import write_table

    images = [{"bytes": bytes(16 << 20), "path": None}] * TRAIN
    write_table(pyarrow.table({"image": images, "label": [0] * TRAIN}), written)
    assert len(written.getvalue()) < 4 << 20
    store(tmp_path / "data", {"train-0.parquet": written.getvalue(), "test-0.parquet": parquet([MNIST["test"]])})
    tracemalloc.start()
    try:
        assert "a row holds no image" in fault_of("mnist", tmp_path / "data", tmp_path / "cache").cause
        assert tracemalloc.get_traced_memory()[1] < 80 << 20
    finally:
        tracemalloc.stop()


# What Keras keeps is used without being asked for, if it is whole.


def test_keras_own_cache_is_used_before_a_download(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tiny(monkeypatch, "mnist", MNIST)
    store(tmp_path / "keras" / "datasets", {"mnist.npz": MNIST_NPZ})
    assert available("mnist", None, tmp_path / "cache").startswith("real, from Keras' mnist.npz (in ")
    prepared = prepare("mnist", None, tmp_path / "cache", download=False)
    assert_is(MNIST, prepared)


# What is something else


OTHER = {split: (np.ascontiguousarray(pixels[::-1]), labels) for split, (pixels, labels) in MNIST.items()}
OTHER_NPZ = npz({f"{a}_{split}": OTHER[split][number] for split in ("train", "test") for number, a in enumerate("xy")})


def test_other_images_are_refused_and_taken_only_by_the_switch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tiny(monkeypatch, "mnist", MNIST)
    store(tmp_path / "data", {"mnist.npz": OTHER_NPZ})
    fault = fault_of("mnist", tmp_path / "data", tmp_path / "cache")
    assert fault.cause == f"{tmp_path / 'data' / 'mnist.npz'} is something else, not MNIST."
    assert "--data-as-is" in fault.remedy
    taken = prepare("mnist", tmp_path / "data", tmp_path / "cache", as_is=True)
    assert taken.kind == "not MNIST, taken as it is"
    assert_is(OTHER, taken)
    assert fault_of("mnist", tmp_path / "data", tmp_path / "cache").cause == fault.cause  # also afterwards
    store(tmp_path / "data", {"mnist.npz": MNIST_NPZ})
    genuine = prepare("mnist", tmp_path / "data", tmp_path / "cache", as_is=True)
    assert genuine.kind == "real, from Keras' mnist.npz"


def test_others_under_mnists_names_are_named_by_their_sum(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in MNIST_IDX.items()}
    fashion = {f"{name}.gz": gzip.compress(content, mtime=7) for name, content in MNIST_IDX.items()}
    known = datasets()["mnist"]
    train, test = [original(name, content) for name, content in files.items()][:2], tuple(known.editions[0].test_files)
    edition = replace(known.editions[0], train_size=TRAIN, test_size=TEST, train_files=tuple(train), test_files=test)
    put(monkeypatch, replace(known, editions=(edition,), downloads=()))
    monkeypatch.setitem(mnist_module._OTHERS, md5(fashion["train-images-idx3-ubyte.gz"]), "Fashion-MNIST")
    path = store(tmp_path / "mnist", fashion) / "train-images-idx3-ubyte.gz"
    fault = fault_of("mnist", tmp_path, tmp_path / "cache")
    assert fault.cause == f"{path} is Fashion-MNIST, not MNIST."
    taken = prepare("mnist", tmp_path, tmp_path / "cache", as_is=True)
    assert taken.kind == "not MNIST: Fashion-MNIST"
    assert taken.class_names == tuple("0123456789")


def test_the_published_sums_name_the_others() -> None:
    assert mnist_module._OTHERS["8d4fb7e6c68d591d4c3dfef9ec88bf0d"] == "Fashion-MNIST"
    assert mnist_module._OTHERS["bdb82020997e1d708af4cf47b453dcf7"] == "KMNIST"


def test_emnist_is_named_by_its_size(tmp_path: Path) -> None:
    known = datasets()["mnist"]
    header = struct.pack(">HBB3I", 0, 8, 3, 240_000, 28, 28)
    store(tmp_path / "mnist", dict.fromkeys((f.name for f in known.editions[0].files), gzip.compress(header)))
    assert "is EMNIST (240,000 images), not MNIST" in fault_of("mnist", tmp_path, tmp_path / "cache").cause


@pytest.mark.parametrize(
    ("mean", "each", "name"),
    [
        (72.94, 6000, "Fashion-MNIST"),
        (48.91, 6000, "KMNIST"),
        (44.2, 6000, "EMNIST"),
        (33.32, 6000, ""),
        (72.94, 5923, ""),
    ],
)
def test_unzipped_others_are_named_by_their_greys(mean: float, each: int, name: str) -> None:
    counts = dict.fromkeys(range(10), each)
    found = Seen({}, {"train": 60_000, "test": 10_000}, {"train": counts, "test": {}}, mean)
    assert mnist_module.named_by_content(found) == name


def test_the_original_is_none_of_the_others(real_data: Path) -> None:
    """MNIST's classes aren't of equal size, and its mean grey is none of theirs: 33.32."""
    edition = datasets()["mnist"].editions[0]
    assert mnist_module.lookalike(real_data / "mnist", edition) == ""


@pytest.mark.long
def test_the_real_mnist_in_other_forms_has_the_same_digest(real_data: Path, tmp_path: Path) -> None:
    names = [file.name for file in datasets()["mnist"].editions[0].files]
    files = {n.removesuffix(".gz"): gzip.decompress((real_data / "mnist" / n).read_bytes()) for n in names}
    wanted = prepare("mnist", real_data, tmp_path / "cache")
    store(tmp_path / "raw" / "MNIST" / "raw", files)
    assert prepare("mnist", tmp_path / "raw", tmp_path / "cache").digest == wanted.digest
    x, y, x_test, y_test = load(wanted)
    arrays = {"x_train": x, "y_train": y.astype(np.uint8), "x_test": x_test, "y_test": y_test.astype(np.uint8)}
    store(tmp_path / "npz", {"mnist.npz": npz(arrays)})
    assert prepare("mnist", tmp_path / "npz", tmp_path / "cache").digest == wanted.digest
    store(tmp_path / "hf", {"train-0.parquet": parquet([(x, y)]), "test-0.parquet": parquet([(x_test, y_test)])})
    assert prepare("mnist", tmp_path / "hf", tmp_path / "cache").digest == wanted.digest
    store(tmp_path / "npz", {"mnist.npz": npz(arrays | {"x_train": x[:, ::-1]})})
    assert "is something else, not MNIST" in fault_of("mnist", tmp_path / "npz", tmp_path / "cache").cause


# What is hostile


class Call:
    """Calls a function when it is unpickled."""

    def __init__(self, function: object, *arguments: object):
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_pickle_that_runs_code_does_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, protocol: int) -> None:
    trap = tmp_path / "trap"
    tiny(monkeypatch, "cifar10", CIFAR10)
    hostile = pickle.dumps({"data": Call(Path.mkdir, trap), "labels": [1]}, protocol)
    store(tmp_path / "data" / "cifar-10-batches-py", PY2 | {"data_batch_3": hostile})
    fault = fault_of("cifar10", tmp_path / "data", tmp_path / "cache")
    assert "data_batch_3 is damaged: data_batch_3: " in fault.cause
    assert "is not part of plain lists and arrays" in fault.cause
    assert not trap.exists()


def test_a_batch_with_bytes_changed_or_missing_is_refused_or_harmless() -> None:
    content = batches(CIFAR10, python2)["data_batch_1"]
    edges = [*range(400), *range(len(content) - 60, len(content))]
    for position in edges:
        for value in (0, 40, 46, 93, 99, 104, 255):
            changed = bytearray(content)
            changed[position] = value
            _read_or_refused(bytes(changed))
        _read_or_refused(content[:position])


def _read_or_refused(content: bytes) -> None:
    try:
        found = read_pickle(content)
    except ValueError:
        return
    assert isinstance(found, dict | list | tuple | int | str | bytes | None | np.ndarray)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\x80\x02]q\x01(K\x01K\x01K\x01e" + b"h\x01" * 2000 + b"t.", "plain lists"),
        (b"\x80\x02(]q\x01(" + b"K\x01" * 500 + b"e" + b"](h\x01h\x01e" * 400 + b"t.", "put together from themselves"),
        (b"\x80\x02h\x01.", "not a pickle of plain"),
        (b"\x80\x02cos\nsystem\n.", "GLOBAL os system at byte 2"),
        (b"\x80\x02cnumpy\ndtype\n.", "not a pickle of plain"),
        (b"\x80\x02cnumpy\ndtype\n)R.", "not a pickle of plain"),
        (b"\x80\x02}]K\x01s.", "neither text nor a number"),
        (b"\x80\x02B\xff\xff\xff\x7fabc.", "expected"),
        (b"", "pickle exhausted"),
    ],
)
def test_pickles_that_would_fill_memory_or_hold_no_data_are_refused(content: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_pickle(content)


def test_arrays_are_what_their_bytes_are() -> None:
    numbers = np.arange(6, dtype=np.int64).reshape(2, 3)
    for protocol in (2, 3):
        found = read_pickle(pickle.dumps({"a": numbers, "b": (True, None, "ä", b"\xff", -7)}, protocol))
        assert np.array_equal(found["a"], numbers) and found["a"].dtype == np.int64
        assert found["b"] == (True, None, "ä", b"\xff", -7)
    with pytest.raises(ValueError, match="in columns"):
        read_pickle(pickle.dumps(np.asfortranarray(numbers), 2))
    with pytest.raises(ValueError, match="byte order '>'"):
        read_pickle(pickle.dumps(numbers.astype(">i8"), 2))


def test_archives_that_lead_elsewhere_or_lack_a_batch_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tiny(monkeypatch, "cifar10", CIFAR10)
    members = [(f"cifar-10-batches-py/{name}", content) for name, content in PY2.items()]
    unlabelled = {"data": CIFAR10["test"][0].reshape(TEST, -1), "labels": [1] * (TEST - 1)}
    cases = {
        "it lacks cifar-10-batches-py/test_batch": tar_gz(*members[:-1]),
        "is no batch: a link": tar_gz(link("cifar-10-batches-py/data_batch_1", tarfile.SYMTYPE), *members[1:]),
        "a second one": tar_gz(members[0], *members),
        "is damaged": tar_gz(*members)[:-200],
        "is something else, not CIFAR-10": archive(PY2 | {"data_batch_1": PY2["data_batch_2"]}),
        "no label for each image": archive(PY2 | {"test_batch": pickle.dumps(unlabelled, 2)}),
    }
    for cause, content in cases.items():
        store(tmp_path / "data", {"cifar-10-python.tar.gz": content})
        assert cause in fault_of("cifar10", tmp_path / "data", tmp_path / "cache").cause, cause


@pytest.mark.parametrize(
    ("arrays", "cause"),
    [
        ({"x_train": MNIST["train"][0][:-1]}, "x_train is (29, 28, 28) of uint8, expected (30, 28, 28)"),
        ({"x_train": MNIST["train"][0].astype(float)}, "x_train is (30, 28, 28) of float64"),
        ({"x_train": np.asfortranarray(MNIST["train"][0])}, "in columns"),
        ({"y_test": np.full(TEST, 10, np.uint8)}, "sample 0 has label 10"),
        ({"y_test": np.array([[1]] * TEST, object)}, "y_test is (20, 1) of object"),
    ],
)
def test_npz_files_that_are_not_right(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arrays: dict[str, np.ndarray], cause: str
) -> None:
    tiny(monkeypatch, "mnist", MNIST)
    with zipfile.ZipFile(io.BytesIO(MNIST_NPZ)) as held:
        good = {name.removesuffix(".npy"): np.load(io.BytesIO(held.read(name))) for name in held.namelist()}
    store(tmp_path / "data", {"mnist.npz": npz(good | arrays)})
    assert cause in fault_of("mnist", tmp_path / "data", tmp_path / "cache").cause
