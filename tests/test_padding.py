"""Padding is read and trained like any word; a network that leaves it out is caught, however long its reviews are."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from proof_bench import Bench, open_bench

from rosetta.proof.further.padding import _padded
from rosetta.record.result import Check
from rosetta.workloads import find_workload

EMBEDDED = "        x = self.embedding(x)\n"
PACKED = """        lengths = (x != 0).sum(1).clamp(min=1)
        x = self.embedding(torch.stack([row.roll(int(n)) for row, n in zip(x, lengths)]))
        x = nn.utils.rnn.pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
"""
FAULTS = [
    ("time-steps-skipped", EMBEDDED, PACKED, "padding's outputs"),
    ("embedded-as-zeros", EMBEDDED, "        x = self.embedding(x) * (x != 0).unsqueeze(-1)\n", "padding's outputs"),
    ("not-trained", "(30_000, 125)", "(30_000, 125, padding_idx=0)", "padding's embedding"),
]


@pytest.fixture(scope="module")
def gru() -> Iterator[Bench]:
    with open_bench("imdb_gru", None) as bench:
        yield bench


def further(bench: Bench, copy: Path) -> dict[str, Check]:
    return {check.name: check for check in bench.prove(copy).further}


@pytest.mark.long
@pytest.mark.parametrize(("name", "old", "new", "caught_by"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_padding_left_out_is_caught(gru: Bench, name: str, old: str, new: str, caught_by: str) -> None:
    copy = gru.copy_torch(name)
    file = copy / "imdb_gru.py"
    text = file.read_text("utf-8")
    assert old in text, "the text to replace isn't there any more"
    file.write_text(text.replace(old, new), "utf-8")
    assert not further(gru, copy)[caught_by].holds


@pytest.mark.long
def test_the_correct_gru_passes_with_a_factor_3_to_spare(gru: Bench) -> None:
    checks = further(gru, gru.copy_torch("correct"))
    for name in ("padding's outputs", "padding's embedding"):
        error = checks[name].error
        assert error is not None
        assert 3 * error < checks[name].tolerance, name


@pytest.mark.parametrize("name", ["imdb_gru", "babi_rnn"])
def test_a_batch_has_sequences_of_one_word_of_half_and_of_the_whole_length(name: str) -> None:
    workload = find_workload(name)
    inputs, labels = _padded(workload, 1)
    assert labels.shape == (workload.batch_size_in_proof,)
    for spec, value in zip(workload.inputs, inputs, strict=True):
        length = spec.shape[-1]
        assert value.dtype == np.int32
        words = (value != 0).sum(axis=1)
        assert set(words) == {1, max(1, length // 2), length}
        assert np.all((value[:, ::-1] != 0).cumprod(axis=1).sum(axis=1) == words), "padded on the left"
