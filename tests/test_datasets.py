"""Data sets: the real ones byte for byte, files that are wrong, downloads, the cache, synthetic data."""

import contextlib
import gzip
import hashlib
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import requests
from dataset_files import Files, fault_of, link, load, original, put, store, tar_gz
from filelock import FileLock

import rosetta.datasets
from rosetta.datasets import available, datasets, prepare
from rosetta.datasets import cifar10 as cifar10_module
from rosetta.datasets import mnist as mnist_module
from rosetta.datasets.originals import check_originals
from rosetta.datasets.spec import Dataset, Download, Edition, OriginalFile, generated
from rosetta.datasets.synthetic import synthetic_images
from rosetta.errors import RosettaError


@pytest.fixture(autouse=True)
def no_keras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine's user has from Keras is of no concern here."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


# The real data


@pytest.fixture(scope="module")
def real_cache() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_mnist_is_decoded_exactly(real_data: Path, real_cache: Path) -> None:
    prepared = prepare("mnist", real_data, real_cache)
    train_inputs, train_labels, test_inputs, test_labels = load(prepared)
    assert (prepared.name, prepared.kind, prepared.scale) == ("mnist", "real", 1 / 255)
    assert prepared.class_names == tuple("0123456789")
    assert (train_inputs.shape, test_inputs.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert (train_inputs.dtype, train_labels.dtype) == (np.uint8, np.int64)
    assert (test_inputs.dtype, test_labels.dtype) == (np.uint8, np.int64)
    assert train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    for inputs, name in ((train_inputs, "train-images-idx3-ubyte.gz"), (test_inputs, "t10k-images-idx3-ubyte.gz")):
        assert inputs.tobytes() == gzip.decompress((real_data / "mnist" / name).read_bytes())[16:]


def test_cifar10_is_decoded_exactly(real_data: Path, real_cache: Path) -> None:
    prepared = prepare("cifar10", real_data, real_cache)
    train_inputs, train_labels, test_inputs, test_labels = load(prepared)
    folder = real_data / "cifar-10-batches-bin"
    complete = (folder / "test_batch.bin").exists()
    assert prepared.kind == ("real" if complete else "real, first 1,017 test images")
    assert prepared.class_names == tuple((folder / "batches.meta.txt").read_text().split())
    assert train_inputs.shape == (50000, 3, 32, 32)
    assert test_inputs.shape == (10000 if complete else 1017, 3, 32, 32)
    assert train_labels[:5].tolist() == [6, 9, 9, 4, 1]
    assert test_labels[:5].tolist() == [3, 8, 8, 0, 6]
    assert np.bincount(train_labels).tolist() == [5000] * 10
    last = (folder / "data_batch_5.bin").read_bytes()[-3073:]
    assert train_labels[-1] == last[0]
    assert train_inputs[-1].tobytes() == last[1:]
    # The planes are red, green, blue: row 1, column 2 of the green plane of the first image.
    assert train_inputs[0, 1, 1, 2] == (folder / "data_batch_1.bin").read_bytes()[1 + 1024 + 32 + 2]


def test_a_warm_start_is_quick_and_gives_the_same(real_data: Path, real_cache: Path) -> None:
    first = prepare("cifar10", real_data, real_cache)
    said: list[str] = []
    again = prepare("cifar10", real_data, real_cache, say=said.append)
    assert replace(again, preparation_seconds=0) == replace(first, preparation_seconds=0)
    assert not said
    assert 0 < again.preparation_seconds < 0.5


def test_available_names_the_real_data(real_data: Path, tmp_path: Path) -> None:
    assert available("mnist", real_data, tmp_path) == f"real (in {real_data / 'mnist'})"
    assert available("cifar10", real_data, tmp_path).startswith("real")
    assert not list(tmp_path.iterdir())


# Small data sets in the original formats, whose sums are made here


def idx(values: np.ndarray) -> bytes:
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    return gzip.compress(header + values.astype(np.uint8).tobytes(), mtime=0)


def mnist_files(train: int = 30, test: int = 20) -> Files:
    rng = np.random.default_rng(0)
    files = {}
    for prefix, size in (("train", train), ("t10k", test)):
        files[f"{prefix}-images-idx3-ubyte.gz"] = idx(rng.integers(0, 256, (size, 28, 28)))
        files[f"{prefix}-labels-idx1-ubyte.gz"] = idx(rng.integers(0, 10, size))
    return files


def cifar10_files(each: int = 10) -> Files:
    rng = np.random.default_rng(0)
    files = {}
    for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
        records = rng.integers(0, 256, (each, 3073))
        records[:, 0] %= 10
        files[name] = records.astype(np.uint8).tobytes()
    return files


def tiny_mnist(files: Files, train: int = 30, test: int = 20) -> Dataset:
    declared = [original(name, content) for name, content in files.items()]
    edition = Edition("real", train, test, mnist_module.decode, tuple(declared[:2]), tuple(declared[2:]))
    return replace(
        datasets()["mnist"],
        editions=(edition,),
        downloads=(),
        generated=generated("synthetic", 60, 40, tuple("0123456789"), partial(synthetic_images, (28, 28), 10)),
    )


def tiny_cifar10(files: Files, each: int = 10) -> Dataset:
    *train, test = (original(name, content) for name, content in files.items())
    prefix = original("test_batch_first_1017.bin", files["test_batch.bin"][: 3 * 3073])
    return replace(
        datasets()["cifar10"],
        editions=(
            Edition("real", 5 * each, each, cifar10_module.decode, tuple(train), (test,)),
            Edition("real, first 1,017 test images", 5 * each, 3, cifar10_module.decode, tuple(train), (prefix,)),
        ),
        downloads=(),
        generated=generated("synthetic", 60, 40, tuple("0123456789"), partial(synthetic_images, (3, 32, 32), 10)),
    )


Register = Callable[[Dataset], None]


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Register:
    return partial(put, monkeypatch)


@pytest.fixture
def mnist(register: Register, tmp_path: Path) -> Path:
    """A data folder with a small MNIST, which is what the name mnist means in the test."""
    files = mnist_files()
    register(tiny_mnist(files))
    store(tmp_path / "data" / "mnist", files)
    return tmp_path / "data"


@pytest.fixture
def cifar10(register: Register, tmp_path: Path) -> Path:
    files = cifar10_files()
    register(tiny_cifar10(files))
    store(tmp_path / "data" / "cifar-10-batches-bin", files)
    return tmp_path / "data"


def test_an_unknown_name_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(RosettaError, match="mnist"):
        prepare("mnits", None, tmp_path)


def test_files_may_lie_in_the_data_folder_itself(mnist: Path, tmp_path: Path) -> None:
    nested = prepare("mnist", mnist, tmp_path / "cache")
    direct = prepare("mnist", mnist / "mnist", tmp_path / "other")
    assert nested.digest == direct.digest
    assert available("mnist", mnist / "mnist", tmp_path) == f"real (in {mnist / 'mnist'})"


def test_data_folder_missing_or_no_folder_or_empty(mnist: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    cases = (("nowhere", "does not exist"), ("file", "is not a folder"), ("empty", "There is no MNIST"))
    for name, cause in cases:
        fault = fault_of("mnist", tmp_path / name, tmp_path / "cache")
        assert cause in fault.cause
        assert str(tmp_path / name) in fault.cause
        assert "--data" in fault.remedy
        assert available("mnist", tmp_path / name, tmp_path / "cache") == fault.cause


def test_half_a_folder_names_what_is_missing(mnist: Path, tmp_path: Path) -> None:
    (mnist / "mnist" / "t10k-images-idx3-ubyte.gz").unlink()
    (mnist / "mnist" / "train-labels-idx1-ubyte.gz").unlink()
    fault = fault_of("mnist", mnist, tmp_path / "cache")
    assert "incomplete: train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz missing" in fault.cause
    assert available("mnist", mnist, tmp_path / "cache") == fault.cause


def test_a_folder_in_place_of_a_file(mnist: Path, tmp_path: Path) -> None:
    path = mnist / "mnist" / "t10k-images-idx3-ubyte.gz"
    path.unlink()
    path.mkdir()
    assert f"{path} is not a regular file" in fault_of("mnist", mnist, tmp_path / "cache").cause


def test_truncated_and_too_long_files(mnist: Path, tmp_path: Path) -> None:
    path = mnist / "mnist" / "train-images-idx3-ubyte.gz"
    content = path.read_bytes()
    path.write_bytes(content[:-7])
    cause = fault_of("mnist", mnist, tmp_path / "cache").cause
    assert cause == f"{path} is truncated: {len(content) - 7:,} bytes, expected {len(content):,}."
    assert available("mnist", mnist, tmp_path / "cache") == cause
    path.write_bytes(content + b"x")
    assert "is too long" in fault_of("mnist", mnist, tmp_path / "cache").cause


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_a_flipped_bit_in_any_file_is_found(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    data: Path = request.getfixturevalue(name)
    for path in sorted(data.glob("*/*")):
        content = path.read_bytes()
        flipped = bytearray(content)
        flipped[len(content) // 2] ^= 1
        path.write_bytes(flipped)
        cause = fault_of(name, data, tmp_path / "cache").cause
        found, expected = hashlib.md5(flipped).hexdigest(), hashlib.md5(content).hexdigest()
        assert cause == f"{path} has a wrong checksum: found MD5 {found}, expected {expected}."
        path.write_bytes(content)
    assert prepare(name, data, tmp_path / "cache").kind == "real"


def test_cifar10_takes_the_prefix_only_without_the_whole_test_set(cifar10: Path, tmp_path: Path) -> None:
    folder = cifar10 / "cifar-10-batches-bin"
    whole = (folder / "test_batch.bin").read_bytes()
    (folder / "test_batch_first_1017.bin").write_bytes(whole[: 3 * 3073])
    assert prepare("cifar10", cifar10, tmp_path / "cache").kind == "real"
    (folder / "test_batch.bin").write_bytes(whole[:-1])
    assert "test_batch.bin is truncated" in fault_of("cifar10", cifar10, tmp_path / "cache").cause
    (folder / "test_batch.bin").unlink()
    prefix = prepare("cifar10", cifar10, tmp_path / "cache")
    assert prefix.kind == "real, first 1,017 test images"
    assert np.load(prefix.test_inputs[0]).tobytes() == b"".join(whole[i * 3073 + 1 : (i + 1) * 3073] for i in range(3))
    assert available("cifar10", cifar10, tmp_path / "cache") == f"real, first 1,017 test images (in {folder})"


# The decoders, which the sums normally shield


def test_a_label_out_of_range_is_named(register: Register, tmp_path: Path) -> None:
    files = mnist_files()
    labels = np.arange(20) % 10
    labels[13] = 10
    files["t10k-labels-idx1-ubyte.gz"] = idx(labels)
    register(tiny_mnist(files))
    store(tmp_path / "data", files)
    cause = fault_of("mnist", tmp_path / "data", tmp_path / "cache").cause
    assert "t10k-labels-idx1-ubyte.gz is damaged: sample 13 has label 10, expected 0 to 9" in cause
    assert not list((tmp_path / "cache").rglob("*.npy")), "no half-written arrays may stay"

    files = cifar10_files()
    batch = bytearray(files["data_batch_4.bin"])
    batch[7 * 3073] = 255
    files["data_batch_4.bin"] = bytes(batch)
    register(tiny_cifar10(files))
    store(tmp_path / "data", files)
    cause = fault_of("cifar10", tmp_path / "data", tmp_path / "cache").cause
    assert "data_batch_4.bin is damaged: sample 7 has label 255" in cause


def test_cifar10_records_must_be_whole(tmp_path: Path) -> None:
    files = {name: content[:-1] for name, content in cifar10_files().items()}
    edition = tiny_cifar10(files).editions[0]
    with pytest.raises(RosettaError, match=r"data_batch_1\.bin is damaged: 30,729 bytes, expected .* records of 3,073"):
        list(cifar10_module.decode(store(tmp_path, files), edition).batches)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (idx(np.zeros(50))[:-9], "is damaged"),
        (idx(np.zeros(49)), "header"),
        (idx(np.zeros((50, 1))), "header"),
        (gzip.compress(struct.pack(">HBBI", 0, 0x0D, 1, 50) + bytes(50), mtime=0), "header"),
        (gzip.compress(struct.pack(">HBBI", 0, 8, 1, 50) + bytes(49), mtime=0), "less than its header says"),
        (gzip.compress(struct.pack(">HBBI", 0, 8, 1, 50) + bytes(51), mtime=0), "more than its header says"),
        (idx(np.zeros(50))[:-8] + b"\0" * 8, "CRC check failed"),
        (struct.pack(">HBBI", 0, 8, 1, 50) + bytes(50), "Not a gzipped file"),
        (idx(np.zeros(50))[:10] + b"\xff" * 20, "is damaged"),
        (b"", "header"),
    ],
)
def test_idx_files_that_are_not_right(content: bytes, cause: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.gz"
    path.write_bytes(content)
    with pytest.raises(RosettaError, match=cause) as caught:
        list(mnist_module.read_idx(path, (50,)))
    assert str(path) in caught.value.cause


def test_a_gzip_bomb_is_not_decompressed(tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    with gzip.open(path, "wb", compresslevel=1) as opened:
        opened.write(struct.pack(">HBB3I", 0, 8, 3, 10, 28, 28))
        for _ in range(200):
            opened.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(RosettaError, match="more than its header says"):
            list(mnist_module.read_idx(path, (10, 28, 28)))
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


# The cache


def test_the_cache_is_reused_and_a_changed_source_is_noticed(mnist: Path, tmp_path: Path) -> None:
    said: list[str] = []
    first = prepare("mnist", mnist, tmp_path / "cache", say=said.append)
    assert said == [f"Decoding MNIST from {mnist / 'mnist'}"]
    assert prepare("mnist", mnist, tmp_path / "cache", say=said.append).digest == first.digest
    assert len(said) == 1
    path = mnist / "mnist" / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(path.read_bytes())
    status = path.stat()
    content[12] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert "wrong checksum" in fault_of("mnist", mnist, tmp_path / "cache").cause


def test_a_checked_file_is_read_again_only_after_a_change(
    mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = mnist / "mnist" / "t10k-labels-idx1-ubyte.gz"
    cache = tmp_path / "cache"
    # Sums of files this young are not remembered; let them be older.
    real_time = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real_time() + 10_000_000_000)
    hashed: list[Path] = []
    real_md5 = rosetta.datasets.originals._md5

    def counted(path: Path) -> str:
        hashed.append(path)
        return real_md5(path)

    monkeypatch.setattr(rosetta.datasets.originals, "_md5", counted)
    prepare("mnist", mnist, cache)
    assert len(hashed) == 4
    prepare("mnist", mnist, cache)
    assert len(hashed) == 4
    content = bytearray(path.read_bytes())
    status = path.stat()
    content[12] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert "wrong checksum" in fault_of("mnist", mnist, cache).cause
    assert hashed[4:] == [path]


def test_young_files_are_not_remembered(mnist: Path, tmp_path: Path) -> None:
    memo = tmp_path / "memo.json"
    dataset = rosetta.datasets.datasets()["mnist"]
    check_originals(dataset, rosetta.datasets.originals.find_originals(dataset, mnist), memo)
    assert not memo.exists()


def test_a_new_revision_is_decoded_again(mnist: Path, tmp_path: Path, register: Register) -> None:
    first = prepare("mnist", mnist, tmp_path / "cache")
    dataset = rosetta.datasets.datasets()["mnist"]
    register(replace(dataset, editions=(replace(dataset.editions[0], revision=2),)))
    said: list[str] = []
    second = prepare("mnist", mnist, tmp_path / "cache", say=said.append)
    assert second.train_inputs != first.train_inputs
    assert [line.split()[0] for line in said] == ["Decoding"]


@pytest.mark.parametrize("damage", ["short", "empty", "missing", "other shape", "pickle", "description"])
def test_a_damaged_cache_is_made_again(damage: str, mnist: Path, tmp_path: Path) -> None:
    first = prepare("mnist", mnist, tmp_path / "cache")
    (path,) = first.test_inputs
    content = path.read_bytes()
    if damage == "short":
        path.write_bytes(content[:-1])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "missing":
        path.unlink()
    elif damage == "other shape":
        np.save(path, np.zeros((19, 28, 28), np.uint8))
    elif damage == "pickle":
        np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    else:
        (path.parent / "arrays.json").write_text("[]")
    said: list[str] = []
    again = prepare("mnist", mnist, tmp_path / "cache", say=said.append)
    assert len(said) == 1
    assert (again.digest, again.test_inputs[0].read_bytes()) == (first.digest, content)


def test_a_damaged_memo_does_no_harm(mnist: Path, tmp_path: Path) -> None:
    first = prepare("mnist", mnist, tmp_path / "cache")
    for content in (b"", b"[1]", b"\xff\xfe", b'{"x": 3}'):
        (tmp_path / "cache" / "datasets" / "mnist" / "checked.json").write_bytes(content)
        assert prepare("mnist", mnist, tmp_path / "cache").digest == first.digest


def test_arrays_are_readable_from_another_folder(mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepared = prepare("mnist", Path("data"), Path("cache"))
    monkeypatch.chdir("/")
    assert load(prepared)[0].shape == (30, 28, 28)


def test_a_cache_that_cannot_be_used(mnist: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    fault = fault_of("mnist", mnist, tmp_path / "cache")
    assert str(tmp_path / "cache") in fault.cause


PREPARE = """
import sys
from pathlib import Path
from rosetta.datasets import prepare
print(prepare("mnist", None, Path(sys.argv[1]), download=False, say=lambda line: print(line, flush=True)).digest)
"""


def test_two_processes_prepare_at_once(tmp_path: Path) -> None:
    home = tmp_path / "datasets" / "mnist"
    home.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        with FileLock(home / "lock"):
            processes = [
                stack.enter_context(
                    subprocess.Popen([sys.executable, "-c", PREPARE, str(tmp_path)], stdout=subprocess.PIPE, text=True)
                )
                for _ in range(2)
            ]
            for process in processes:
                assert process.stdout is not None
                assert "waiting" in process.stdout.readline()
        outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert all(process.returncode == 0 for process in processes)
    assert sum(output.count("Generating") for output in outputs) == 1
    digests = {output.split()[-1] for output in outputs}
    assert len(digests) == 1
    assert not list(home.glob("*.partial"))
    assert prepare("mnist", None, tmp_path, download=False).digest in digests


FULL_DISK = """
import resource, sys
from pathlib import Path
from rosetta.datasets import prepare
from rosetta.errors import RosettaError
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    prepare("mnist", None, Path(sys.argv[1]), download=False)
except RosettaError as fault:
    print(fault)
"""


def test_no_room_on_the_disk(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="limits of a process exist only on POSIX")
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    cause, remedy = done.stdout.splitlines()
    assert cause.startswith("There is no room for the data set in")
    assert remedy.startswith("Free")
    assert not list(tmp_path.rglob("*.npy"))
    assert prepare("mnist", None, tmp_path, download=False).kind == "synthetic"


# Downloads


class Server:
    """A web server on this machine with files; remembers what was asked for."""

    def __init__(self) -> None:
        self.files: Files = {}
        self.cut_to: int | None = None
        self.asked: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                server.asked.append(name)
                content = server.files.get(name)
                if content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: server.cut_to])

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    yield server
    server.close()


def served_mnist(server: Server, *more_urls: str) -> Dataset:
    server.files = mnist_files()
    dataset = tiny_mnist(server.files)
    return replace(
        dataset,
        downloads=tuple(
            Download(file, (*(url + file.name for url in more_urls), server.url + file.name))
            for file in dataset.editions[0].files
            if isinstance(file, OriginalFile)
        ),
    )


def test_a_download_is_used_and_used_again(server: Server, register: Register, tmp_path: Path) -> None:
    register(served_mnist(server))
    assert available("mnist", None, tmp_path) == "real if it can be downloaded, else synthetic"
    said: list[str] = []
    first = prepare("mnist", None, tmp_path, say=said.append)
    assert first.kind == "real"
    assert sum(line.startswith("Downloading") for line in said) == 4
    assert available("mnist", None, tmp_path) == "real (downloaded)"
    asked = list(server.asked)
    assert prepare("mnist", None, tmp_path).digest == first.digest
    assert prepare("mnist", None, tmp_path, download=False).digest == first.digest
    assert server.asked == asked


def test_a_damaged_download_is_fetched_again(server: Server, register: Register, tmp_path: Path) -> None:
    register(served_mnist(server))
    first = prepare("mnist", None, tmp_path)
    path = tmp_path / "datasets" / "mnist" / "download" / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-1])
    assert "truncated" in available("mnist", None, tmp_path)
    server.asked.clear()
    said: list[str] = []
    assert prepare("mnist", None, tmp_path, say=said.append).digest == first.digest
    assert server.asked == ["t10k-labels-idx1-ubyte.gz"]
    assert "earlier download is not usable" in said[0]
    path.unlink()
    assert prepare("mnist", None, tmp_path, download=False).kind == "synthetic"


def test_the_next_mirror_is_asked(server: Server, register: Register, tmp_path: Path) -> None:
    register(served_mnist(server, "http://127.0.0.1:1/", server.url + "not/here/x"))
    assert prepare("mnist", None, tmp_path).kind == "real"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [(b"<html>log in first</html>", "does not match the known hash"), (bytes(3 << 20), "longer than")],
    ids=["short", "long"],
)
def test_a_download_with_a_wrong_sum_is_an_error(
    wrong: bytes, reason: str, server: Server, register: Register, tmp_path: Path
) -> None:
    register(served_mnist(server))
    server.files["t10k-images-idx3-ubyte.gz"] = wrong
    with pytest.raises(RosettaError, match=r"is not the original t10k-images-idx3-ubyte\.gz") as caught:
        prepare("mnist", None, tmp_path)
    assert reason in caught.value.cause
    assert "--data" in caught.value.remedy
    assert not (tmp_path / "datasets" / "mnist" / "download" / "t10k-images-idx3-ubyte.gz").exists()


def test_a_cut_connection_falls_back(server: Server, register: Register, tmp_path: Path) -> None:
    register(served_mnist(server))
    server.cut_to = 20
    said: list[str] = []
    assert prepare("mnist", None, tmp_path, say=said.append).kind == "synthetic"
    assert any("can't be downloaded" in line for line in said)
    server.cut_to = None
    assert prepare("mnist", None, tmp_path).kind == "real"


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_without_network_synthetic_data_takes_over(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, register: Register
) -> None:
    real = datasets()[name]
    stand_in = generated("synthetic", 60, 40, (), partial(synthetic_images, real.inputs[0].shape, 10))
    register(replace(real, generated=stand_in))
    tried: list[str] = []

    def get(url: str, **options: object) -> None:
        tried.append(url)
        assert options["timeout"] == (5, 30)
        raise requests.exceptions.ConnectionError("no route")

    monkeypatch.setattr(requests, "get", get)
    said: list[str] = []
    prepared = prepare(name, None, tmp_path, say=said.append)
    assert prepared.kind == "synthetic"
    assert tuple(tried) == real.downloads[0].urls
    told = [line for line in said if "synthetic data of the same shape is used instead" in line]
    assert len(told) == 1
    assert "ConnectionError" in told[0]
    tried.clear()
    assert prepare(name, None, tmp_path, download=False).digest == prepared.digest
    assert not tried


def archive(files: Files) -> bytes:
    """A tar.gz with these files and, before them, members that must not be believed."""
    folder = "cifar-10-batches-bin"
    return tar_gz(
        ("../escaped.bin", b"x"),
        link(f"{folder}/data_batch_2.bin", tarfile.SYMTYPE),
        (f"{folder}/data_batch_1.bin", b"wrong size"),
        *((f"{folder}/{name}", content) for name, content in files.items()),
    )


def served_cifar10(server: Server, files: Files, inside: Files) -> Dataset:
    server.files = {"cifar.tar.gz": archive(inside)}
    return replace(
        tiny_cifar10(files),
        downloads=(
            Download(
                original("cifar.tar.gz", server.files["cifar.tar.gz"]),
                (server.url + "cifar.tar.gz",),
                {f"cifar-10-batches-bin/{name}": original(name, content) for name, content in files.items()},
            ),
        ),
    )


def test_only_the_named_members_leave_an_archive(server: Server, register: Register, tmp_path: Path) -> None:
    files = cifar10_files()
    register(served_cifar10(server, files, files))
    first = prepare("cifar10", None, tmp_path)
    assert first.kind == "real"
    folder = tmp_path / "datasets" / "cifar10" / "download"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    assert not list(tmp_path.rglob("escaped.bin"))
    (folder / "data_batch_3.bin").write_bytes(b"damaged")
    assert prepare("cifar10", None, tmp_path).digest == first.digest
    assert server.asked == ["cifar.tar.gz"] * 2


def test_an_archive_that_lacks_a_member(server: Server, register: Register, tmp_path: Path) -> None:
    files = cifar10_files()
    inside = {name: content for name, content in files.items() if name != "test_batch.bin"}
    register(served_cifar10(server, files, inside))
    with pytest.raises(RosettaError, match=r"lacks cifar-10-batches-bin/test_batch\.bin"):
        prepare("cifar10", None, tmp_path)


def test_an_archive_without_a_known_sum_is_judged_by_its_members(
    server: Server, register: Register, tmp_path: Path
) -> None:
    files = cifar10_files()
    dataset = served_cifar10(server, files, files)
    (wanted,) = dataset.downloads
    register(replace(dataset, downloads=(replace(wanted, file=replace(wanted.file, md5="")),)))
    whole = server.files["cifar.tar.gz"]
    changed = {name: content[:-1] + b"?" for name, content in files.items()}
    for wrong, cause in (
        (b"<html>log in first</html>", "Not a gzipped file"),
        (whole[: len(whole) // 2], "is damaged"),
        (archive({}), "lacks"),
        (archive(changed), "wrong checksum"),
        (bytes(3 << 20), "longer than"),
    ):
        server.files["cifar.tar.gz"] = wrong
        with pytest.raises(RosettaError, match=cause) as caught:
            prepare("cifar10", None, tmp_path)
        assert caught.value.remedy
        assert not list(tmp_path.rglob("*.tar.gz")), "what is wrong may not be taken for the archive the next time"
    server.files["cifar.tar.gz"] = whole
    assert prepare("cifar10", None, tmp_path).kind == "real"


def test_the_declared_downloads_bring_the_preferred_edition() -> None:
    for dataset in datasets().values():
        if not dataset.editions:
            assert not dataset.downloads
            continue
        brought = [file for wanted in dataset.downloads for file in (wanted.members.values() or (wanted.file,))]
        assert tuple(brought) == dataset.editions[0].files
        assert all(url.startswith("https://") for wanted in dataset.downloads for url in wanted.urls)


# Synthetic data


def accuracy_of_ridge(inputs: np.ndarray, labels: np.ndarray, train: int) -> float:
    """Test accuracy of a linear model fitted by ridge regression to the first samples."""
    design = np.c_[inputs.reshape(len(inputs), -1) / np.float32(255), np.ones(len(inputs), np.float32)]
    gram = design[:train] @ design[:train].T + 10 * np.eye(train, dtype=np.float32)
    weights = design[:train].T @ np.linalg.solve(gram, np.eye(10, dtype=np.float32)[labels[:train]])
    return float(np.mean(np.argmax(design[train:] @ weights, 1) == labels[train:]))


@pytest.mark.parametrize("shape", [(28, 28), (3, 32, 32)])
def test_synthetic_data_can_be_learned_but_not_at_once(shape: tuple[int, ...]) -> None:
    batches = list(synthetic_images(shape, 10, 2000, 1000))
    assert [split for split, _, _ in batches] == ["train", "train", "test"]
    inputs = np.concatenate([images for _, (images,), _ in batches])
    labels = np.concatenate([labels for _, _, labels in batches])
    few, many = accuracy_of_ridge(inputs[-1030:], labels[-1030:], 30), accuracy_of_ridge(inputs, labels, 2000)
    assert few < 0.7
    # One label in twelve can't be guessed.
    assert 0.7 < many < 0.95
    assert many > few + 0.2


def test_synthetic_data_is_the_same_every_time_and_has_the_real_shape(tmp_path: Path) -> None:
    first = prepare("mnist", None, tmp_path / "one", download=False)
    second = prepare("mnist", None, tmp_path / "two", download=False)
    assert first.digest == second.digest
    assert first.train_inputs[0].read_bytes() == second.train_inputs[0].read_bytes()
    train_inputs, train_labels, test_inputs, test_labels = load(first)
    assert (train_inputs.shape, test_inputs.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert (train_inputs.dtype, train_labels.dtype) == (np.uint8, np.int64)
    assert np.bincount(train_labels, minlength=10).min() > 5500
    assert set(test_labels) == set(range(10))
    assert not np.array_equal(train_inputs[:1000], test_inputs[:1000])
    assert first.preparation_seconds < 10
    shutil.rmtree(tmp_path)


def test_synthetic_cifar10_has_the_real_shape_and_is_quick(tmp_path: Path) -> None:
    prepared = prepare("cifar10", None, tmp_path, download=False)
    train_inputs, train_labels, test_inputs, test_labels = load(prepared)
    assert (train_inputs.shape, train_labels.shape) == ((50000, 3, 32, 32), (50000,))
    assert (test_inputs.shape, test_labels.shape) == ((10000, 3, 32, 32), (10000,))
    assert prepared.preparation_seconds < 10
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize(("shape", "sum_"), [((28, 28), 2383653785), ((3, 32, 32), 3979178547)])
def test_the_generator_has_not_changed(shape: tuple[int, ...], sum_: int) -> None:
    """A change here needs a higher revision of the synthetic editions, so that old caches are not used."""
    _, (inputs,), _ = next(synthetic_images(shape, 10, 1000, 0))
    assert zlib.crc32(inputs.tobytes()) == sum_


# Data that were never anything else than random


def test_random_images_need_no_originals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "get", lambda *_, **__: pytest.fail("nothing may be asked for"))
    assert available("random_images", None, tmp_path) == "random (generated)"
    assert available("random_images", tmp_path / "nowhere", tmp_path) == "random (generated)"
    said: list[str] = []
    prepared = prepare("random_images", tmp_path / "nowhere", tmp_path, say=said.append)
    assert said == ["Generating random images"]
    assert (prepared.kind, prepared.scale, prepared.class_names) == ("random", 1 / 255, ())
    train_inputs, train_labels, test_inputs, test_labels = load(prepared)
    assert (train_inputs.shape, test_inputs.shape) == ((1280, 3, 224, 224), (32, 3, 224, 224))
    assert (train_inputs.dtype, train_labels.dtype) == (np.uint8, np.int64)
    assert not train_labels.any()
    assert not test_labels.any()
    assert not np.array_equal(train_inputs[:32], test_inputs)
    assert abs(test_inputs.mean() - 127.5) < 0.5
    assert set(np.unique(test_inputs[0])) == set(range(256))
    assert prepared.preparation_seconds < 20
    assert prepare("random_images", None, tmp_path).digest == prepared.digest
    # A change needs a higher revision, so that old caches are not used.
    assert zlib.crc32(train_inputs[0].tobytes()) == 2485688285
    shutil.rmtree(tmp_path)
