"""IMDB's characters: windows of the reviews' text, which archives are refused, the synthetic stand-in."""

from pathlib import Path

import numpy as np
import pytest
from dataset_files import load

from rosetta.datasets import prepare
from rosetta.datasets.imdb_characters import CHARACTERS, encode, synthetic, windows


def text(indices: np.ndarray) -> str:
    return "".join("?" if index == 0 else CHARACTERS[index] for index in indices)


def test_characters_are_printable_ascii_a_lines_end_and_one_for_all_others() -> None:
    assert len(CHARACTERS) == 97 == len(set(CHARACTERS))
    assert encode("\n ~é\x00\t\x7f漢\U0001f600A").tolist() == [1, 2, 96, 0, 0, 0, 0, 0, 0, CHARACTERS.index("A")]
    assert text(encode("Is it good?\nNo.")) == "Is it good?\nNo."


def test_windows_lie_evenly_from_the_first_character_to_the_last() -> None:
    cut = windows(np.arange(265, dtype=np.int32), 5)
    assert cut[:, 0].tolist() == [0, 50, 100, 150, 200] and np.array_equal(cut[-1], np.arange(200, 265))
    assert len(windows(np.arange(65, dtype=np.int32), 3)) == 3
    with pytest.raises(ValueError, match="64 characters make no window of 65"):
        windows(np.arange(64, dtype=np.int32), 1)


def test_imdbs_characters_are_decoded(real_data: Path, tmp_path: Path) -> None:
    prepared = prepare("imdb_characters", real_data, tmp_path)
    train_inputs, train_labels, test_inputs, test_labels = load(prepared)
    assert (prepared.kind, prepared.class_names) == ("real", CHARACTERS)
    for inputs, labels in ((train_inputs, train_labels), (test_inputs, test_labels)):
        assert (inputs.shape, inputs.dtype) == (labels.shape, np.int32) == ((25000, 64), np.int32)
        assert labels.dtype == np.int64 and np.array_equal(inputs[:, 1:], labels[:, :-1])
        assert text(np.bincount(labels.ravel()).argsort()[::-1][:3]) == " et"
        assert 0 < np.mean(labels == 0) < 1e-3, "few are others"
        assert np.isin(labels, encode("\n")).any(axis=1).mean() > 0.05, "of reviews and of breaks in them"
    assert not any("<br" in text(row) for row in train_inputs)


def test_the_stand_in_is_the_same_every_time_and_can_be_learned() -> None:
    first, again = ([batch for batch in synthetic(300, 100)] for _ in range(2))
    assert [split for split, _, _ in first] == ["train", "test"]
    for (_, (inputs,), labels), (_, (same,), _) in zip(first, again, strict=True):
        assert np.array_equal(inputs, same) and np.array_equal(inputs[:, 1:], labels[:, :-1])
        assert inputs.min() > 0
    assert "The " in text(first[0][1][0].ravel())
