"""Faults planted into ports: all of them can be planted, and some are; benchmarks/planted_ports.py tries all."""

import contextlib
from collections import Counter
from collections.abc import Iterator

import pytest
from ported import FAULTS, REWRITES
from ported.change import CONTENDERS, INPUTS, Change
from ported.outcome import Outcome, cause_judged, is_caught, try_changes
from ported.table import failings, to_markdown

from rosetta.models.own_session import Workers

CHANGES = {change.id: change for change in (*FAULTS, *REWRITES)}
FAST = (
    "torch/Cnn/channels BGR",
    "torch/Cnn/kernel transposed",
    "torch/Cnn/mean in place of maximum",
    "torch/Cnn/flattened channels last",
)
OTHERS = (
    "torch/Lstm/no tanh of the memory",
    "torch/Lstm/one matrix and one bias",
    "jax/Gpt/mask turned round",
    "keras/Cnn/padding same",
    "paddle/Lstm/time first",
)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with contextlib.closing(Workers()) as made:
        yield made


def test_there_are_as_many_as_are_told_of_and_each_can_be_planted() -> None:
    assert (len(FAULTS), len(REWRITES), len(CHANGES)) == (60, 20, 80)
    assert Counter((fault.framework, fault.network) for fault in FAULTS) == {
        (f, n): 5 for f in CONTENDERS for n in INPUTS
    }
    for change in CHANGES.values():
        compile(change.text, change.id, "exec")
    assert all(fault.at and fault.edits for fault in FAULTS)
    assert not any(change.at or change.cause for change in REWRITES)


def tried(ids: tuple[str, ...], workers: Workers) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    for network in INPUTS:
        some = [CHANGES[i] for i in ids if CHANGES[i].network == network]
        found |= {outcome.id: outcome for outcome in (try_changes(some, "", workers) if some else [])}
    return found


def assert_right(change: Change, outcome: Outcome) -> None:
    assert not outcome.failure
    if change in REWRITES:
        assert outcome.verdict == "the same", outcome.wrong
    else:
        assert is_caught(change, outcome)
        assert outcome.at == change.at
        assert cause_judged(change, outcome) == "right", outcome.cause


def test_some_are_found(workers: Workers) -> None:
    for name, outcome in tried(FAST, workers).items():
        assert_right(CHANGES[name], outcome)


@pytest.mark.long
def test_some_are_found_in_other_frameworks(workers: Workers) -> None:
    for name, outcome in tried(OTHERS, workers).items():
        assert_right(CHANGES[name], outcome)


def of(change: Change, **what: object) -> Outcome:
    told = {"in_evaluation": "not the same", "verdict": "not the same", "at": change.at, "cause": change.cause}
    return Outcome.model_validate({"key": "", "id": change.id, **told, **what})


def test_the_table_says_what_is_not_as_it_should_be() -> None:
    fault, rewrite = FAULTS[0], REWRITES[0]
    right = {fault.id: of(fault), rewrite.id: of(rewrite, verdict="the same")}
    assert failings(right) == []
    assert "| faults called *not the same* | 1 of 1 |" in to_markdown(right)
    assert "0 of 1" not in to_markdown(right)
    assert "the cause is right in 0 of 1" in failings({fault.id: of(fault, cause="")})
    assert "named as the cause: another" in " ".join(failings({fault.id: of(fault, cause="another")}))
    assert "first sub-module that differs is right in 0 of 1" in " ".join(failings({fault.id: of(fault, at="fc2")}))
    assert "the same in evaluation" in " ".join(failings({fault.id: of(fault, in_evaluation="the same")}))
    assert "not the same" in " ".join(failings({rewrite.id: of(rewrite)}))
