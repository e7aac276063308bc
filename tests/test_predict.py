"""What ``predict`` answers to odd weights and samples: one message or valid JSON, nothing silent.

No framework is asked: its logits are given.
"""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from numpy.typing import NDArray
from PIL import Image

from rosetta.cli import app as cli
from rosetta.errors import RosettaError
from rosetta.models import predict as predicting
from rosetta.models.predict import predict
from rosetta.models.weights import FORMAT, Weights, identity
from rosetta.workloads import find_workload

DIGITS, STORIES = find_workload("mnist_mlp"), find_workload("babi_rnn[qa4]")
LOGITS = np.arange(10.0)


class Client:
    """Answers each sample with the same logits, and keeps what it was asked."""

    def __init__(self, logits: NDArray):
        self.logits = logits
        self.asked: tuple[NDArray[Any], ...] = ()

    def load_parameters(self, parameters: object) -> None:
        pass

    def outputs(self, inputs: Sequence[NDArray[Any]]) -> NDArray:
        self.asked = tuple(inputs)
        return np.stack([self.logits] * len(inputs[0]))


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> Callable[[NDArray], Client]:
    def answer(logits: NDArray) -> Client:
        client = Client(logits)

        @contextlib.contextmanager
        def session(*_: object) -> Iterator[Client]:
            yield client

        monkeypatch.setattr(predicting, "worker_session", session)
        return client

    return answer


@pytest.fixture
def digit(tmp_path: Path) -> Path:
    Image.new("L", (28, 28), 255).save(tmp_path / "digit.png")
    return tmp_path / "digit.png"


def digits(classes: object) -> Weights:
    about = {"contender": "numpy", "classes": classes if isinstance(classes, str) else json.dumps(classes)}
    return Weights(DIGITS, DIGITS.initial_parameters(1), about)


def stories(vocabulary: list[str]) -> Weights:
    about = {"contender": "numpy", "classes": json.dumps(vocabulary), "vocabulary": json.dumps(vocabulary)}
    return Weights(STORIES, {}, about)


def shares(logits: NDArray) -> list[float]:
    powers = np.exp(logits - logits.max())
    return [float(share) for share in powers / powers.sum()]


def test_classes_of_one_name_are_told_apart(answered: Any, digit: Path) -> None:
    answered(LOGITS)
    names = ["cat", "dog", "cat", "cat (0)", *"abcdef"]
    (found,) = predict(digits(names), digit, top=10)
    told = dict(found.classes)
    assert len(told) == 10, "no class is lost"
    right = dict(zip(["cat (0) (0)", "dog", "cat (2)", "cat (0) (3)", *"abcdef"], shares(LOGITS), strict=True))
    assert told == pytest.approx(right)


@pytest.mark.parametrize(
    "classes",
    [
        "[" * 100_000 + "]" * 100_000,
        json.dumps([[[["deep"]]]] * 10),
        "",
        "{}",
        "NaN",
        "1" * 10_000,
        json.dumps(["a"] * 9),
        json.dumps(["a"] * 11),
        json.dumps([None] * 10),
        json.dumps(["x" * 1001, *"123456789"]),
        '["\\ud800", "1", "2", "3", "4", "5", "6", "7", "8", "9"]',
    ],
)
def test_absurd_class_names_are_one_message(answered: Any, digit: Path, classes: str) -> None:
    answered(LOGITS)
    with pytest.raises(RosettaError, match="doesn't name the classes"):
        predict(digits(classes), digit)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_answer_that_is_no_number_is_an_error(answered: Any, digit: Path, value: float) -> None:
    answered(np.where(LOGITS == 3, value, LOGITS))
    with pytest.raises(RosettaError, match=r"numpy says to .*digit.png is no finite number"):
        predict(digits(list("0123456789")), digit)


def test_logits_as_large_as_float32_are_numbers(answered: Any, digit: Path) -> None:
    answered(LOGITS * 3e37)
    (found,) = predict(digits(list("0123456789")), digit)
    assert found.classes[0] == ("9", 1.0)


def test_nothing_asked_is_said(answered: Any, digit: Path) -> None:
    answered(LOGITS)
    weights = digits(list("0123456789"))
    with pytest.raises(RosettaError, match="no sample"):
        predict(weights, [])
    with pytest.raises(RosettaError, match="0 likeliest"):
        predict(weights, digit, top=0)


def test_a_story_that_is_too_long_is_refused(answered: Any, tmp_path: Path) -> None:
    client = answered(np.arange(18.0))
    vocabulary = ["", ".", "?", *(f"w{number}" for number in range(15))]
    fits = "w1 w2 w3 . " * 4 + "w4 w5 ?"
    predict(stories(vocabulary), fits)
    story, question = client.asked
    assert story.tolist() == [[4, 5, 6, 1] * 4] and question.tolist() == [[0] * 4 + [7, 8, 2]]
    with pytest.raises(RosettaError, match="The story has 20 words and marks; the network reads 16"):
        predict(stories(vocabulary), "w1 w2 w3 . " + fits)
    with pytest.raises(RosettaError, match="'w1' twice in its vocabulary"):
        predict(stories([*vocabulary[:-1], "w1"]), fits)
    (tmp_path / "story.txt").write_text(fits)
    with pytest.raises(RosettaError, match=r"story.txt is a file; babi_rnn\[qa4\] takes the text itself"):
        predict(stories(vocabulary), tmp_path / "story.txt")


@pytest.fixture
def piped(answered: Any, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Run the command on samples; return its JSON, in which NaN and the like would be errors."""
    answered(LOGITS)
    file = tmp_path / "w.safetensors"
    about = {"format": FORMAT, "workload": "mnist_mlp", "identity": identity(DIGITS), "contender": "numpy"}
    names = ["cat", "cat", *"234567", "ü", "\x1b[31m"]
    safetensors.numpy.save_file(DIGITS.initial_parameters(1), file, about | {"classes": json.dumps(names)})

    def run(*samples: Path) -> list[Any]:
        monkeypatch.setattr(sys, "argv", ["rosetta", "predict", str(file), *map(str, samples), "--top", "10"])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        assert not end.value.code, said.err
        return json.loads(said.out, parse_constant=pytest.fail)

    return run


def test_the_json_has_every_class_and_what_was_taken(piped: Any, tmp_path: Path, digit: Path) -> None:
    grey = Image.new("L", (28, 28))
    grey.save(tmp_path / "pages.tiff", save_all=True, append_images=[grey])
    odd = tmp_path / os.fsdecode(b"\xff.png")
    grey.save(odd)
    plain, pages, unnamed = piped(digit, tmp_path / "pages.tiff", odd)
    names = ["cat (0)", "cat (1)", *"234567", "ü", "\x1b[31m"]
    for row in (plain, pages, unnamed):
        assert row["classes"] == pytest.approx(dict(zip(names, shares(LOGITS), strict=True)))
    assert "notes" not in plain and pages["notes"] == ["the first of its frames"]
    assert os.fsencode(unnamed["sample"]) == os.fsencode(odd)
