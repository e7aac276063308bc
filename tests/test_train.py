"""Training a network in one framework, keeping its weights, and asking it about pictures in another."""

import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rosetta import datasets
from rosetta.errors import RosettaError
from rosetta.models.images import read_picture
from rosetta.models.weights import load_weights
from rosetta.paths import cache_folder

ROSETTA = str(Path(sys.executable).with_name("rosetta"))


def rosetta(*words: str | int | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROSETTA, *map(str, words)], capture_output=True, text=True, timeout=500)


@pytest.fixture(scope="module")
def trained(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("weights") / "digits.safetensors"
    done = rosetta("train", "mnist_mlp", "--with", "torch", "--epochs", "1", "--save", file, "--data", real_data)
    assert done.returncode == 0, done.stderr
    assert "epoch 1  loss 0." in done.stdout and "test accuracy 9" in done.stdout
    return file


def test_weights_say_what_they_are_from(trained: Path) -> None:
    about = load_weights(trained).about
    assert (about["contender"], about["epochs"], about["seed"]) == ("torch", "1", "1")
    assert 0.9 < float(about["test_accuracy"]) <= 1
    assert json.loads(about["classes"]) == list("0123456789")


def test_another_framework_says_the_same_of_a_picture(trained: Path, real_data: Path, tmp_path: Path) -> None:
    prepared = datasets.prepare("mnist", real_data, cache_folder() / "data")
    images, labels = (np.load(path) for path in (prepared.test_inputs[0], prepared.test_labels))
    files = []
    for row in range(20):
        files.append(tmp_path / f"{row}.png")
        Image.fromarray(images[row]).save(files[-1])
    answers = []
    for contender in ("torch", "numpy"):
        done = rosetta("predict", trained, *files, "--with", contender, "--top", 10)
        assert done.returncode == 0, done.stderr
        answers.append([row["classes"] for row in json.loads(done.stdout)])
    for ours, theirs in zip(*answers, strict=True):
        assert max(ours, key=ours.__getitem__) == max(theirs, key=theirs.__getitem__)
        assert sum(ours.values()) == pytest.approx(1)
        assert all(ours[name] == pytest.approx(theirs[name], rel=1e-4, abs=1e-9) for name in ours)
    right = sum(max(ours, key=ours.__getitem__) == str(labels[row]) for row, ours in enumerate(answers[0]))
    assert right >= 15


def test_what_cannot_be_asked_is_said(trained: Path, tmp_path: Path) -> None:
    picture = tmp_path / "grey.png"
    Image.new("L", (28, 28)).save(picture)
    for words, cause in (
        (("predict", trained, tmp_path / "none.png"), "There is no file"),
        (("predict", picture, picture), "isn't a complete .safetensors file"),
        (("predict", trained, picture, "--with", "torhc"), "Did you mean torch?"),
        (("train", "resnet50_features", "--with", "torch"), "isn't trained"),
        (("train", "cifar10_keras_cnn_loader", "--with", "caffe2"), "needs OpenCV"),
    ):
        done = rosetta(*words)
        assert done.returncode == 2 and cause in done.stderr, done.stderr


def events(folder: Path) -> dict[str, dict[int, float]]:
    """Read TensorBoard's scalars: records of a length, its sum, an Event and its sum."""
    from tensorboardX.proto.event_pb2 import Event

    found: dict[str, dict[int, float]] = {}
    for file in sorted(folder.iterdir()):
        rest = file.read_bytes()
        while rest:
            (size,) = struct.unpack("<Q", rest[:8])
            event = Event.FromString(rest[12 : 12 + size])
            rest = rest[16 + size :]
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


@pytest.fixture(scope="module")
def answering(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train as two replicas with a batch size of its own; TensorBoard's log lies beside the weights."""
    file = tmp_path_factory.mktemp("weights") / "qa4.safetensors"
    log = ("--tensorboard", file.with_name("log"))
    place = ("--replicas", 2, "--batch-size", 50)
    words = ("train", "babi_rnn[qa4]", "--with", "torch", "--epochs", 2, "--save", file, *place, *log)
    done = rosetta(*map(str, words), "--data", real_data)
    assert done.returncode == 0, done.stderr
    return file


def test_a_trainings_scalars_are_written_for_tensorboard(answering: Path) -> None:
    about = load_weights(answering).about
    assert (about["contender"], about["batch_size"]) == ("torch@2xcpu", "50")
    found = events(answering.with_name("log"))
    assert list(found["train/loss"]) == list(range(1, 2 * 19 + 1)), "950 of the 1,000 questions are trained on"
    assert all(0 < loss < 5 for loss in found["train/loss"].values())
    assert found["test/accuracy"].keys() == {19, 38}
    assert found["test/accuracy"][38] == pytest.approx(float(about["test_accuracy"]), abs=1e-4)


def test_a_story_and_a_question_are_answered_alike_in_another_framework(answering: Path) -> None:
    story = "The office is north of the kitchen. The garden is south of the kitchen."
    asked = [f"{story} What is north of the kitchen?", f"{story} What is south of the kitchen?"]
    answers = []
    for contender in ((), ("--with", "numpy")):
        done = rosetta("predict", answering, *asked, *contender, "--top", "18")
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(done.stdout))
    assert [row["sample"] for row in answers[0]] == asked
    for ours, theirs in zip(*answers, strict=True):
        assert "garden" in ours["classes"]
        for name, probability in ours["classes"].items():
            assert theirs["classes"][name] == pytest.approx(probability, rel=1e-4, abs=1e-9)
    done = rosetta("predict", answering, "Bob is north of the garden. What is north of the garden?")
    assert done.returncode == 2 and "doesn't know Bob" in done.stderr


def test_a_training_that_cannot_be_is_refused(answering: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    for words, cause in (
        (("--with", "torch", "--device", "tpu"), "there is no TPU"),
        (("--with", "torch@tpu"), "there is no TPU"),
        (("--with", "torch", "--replicas", "3"), "can't be shared equally by 3 replicas"),
        (("--with", "torch", "--replicas", "2", "--batch-size", "5"), "can't be shared equally by 2 replicas"),
        (("--with", "torch", "--batch-size", "5000"), "fewer training samples than a batch of 5000"),
        (("--with", "lasagne", "--replicas", "2"), "trains no replicas"),
        (("--with", "torch", "--tensorboard", str(tmp_path / "taken")), "can't be made"),
    ):
        done = rosetta("train", "babi_rnn[qa4]", *words)
        assert done.returncode == 2 and cause in done.stderr, done.stderr


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F", "I;16"])
def test_pictures_of_any_mode_and_size_are_read(mode: str, tmp_path: Path) -> None:
    picture = Image.new(mode, (61, 40))
    file = tmp_path / f"picture.{'tiff' if mode in ('CMYK', 'I', 'F', 'I;16') else 'png'}"
    picture.save(file)
    assert read_picture(file, (3, 32, 32)).pixels.shape == (3, 32, 32)
    grey = read_picture(file, (28, 28)).pixels
    assert grey.shape == (28, 28) and grey.dtype == np.uint8


def test_a_picture_is_cut_to_its_middle_and_what_is_transparent_is_white(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (96, 32), (255, 0, 0, 255))
    picture.paste((0, 255, 0, 255), (32, 0, 64, 32))
    picture.paste((0, 0, 0, 0), (40, 8, 56, 24))
    picture.save(tmp_path / "p.png")
    pixels = read_picture(tmp_path / "p.png", (3, 32, 32)).pixels
    assert pixels[:, 2, 2].tolist() == [0, 255, 0] and pixels[:, 16, 16].tolist() == [255, 255, 255]


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "isn't a picture"),
        (b"hello", "isn't a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "isn't a picture"),
        (png(8, 8)[:40], "damaged|isn't a picture"),
        (png(0, 0), "isn't a picture"),
        (png(60_000, 60_000), "far too large"),
        (png(10_000, 9_000), "far too large|pixels; up to"),
    ],
)
def test_what_is_no_picture_is_refused(content: bytes, cause: str, tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(content)
    with pytest.raises(RosettaError, match=cause):
        read_picture(file, (3, 32, 32))
