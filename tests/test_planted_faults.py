"""The catalogue of planted faults can be planted, and the table says what became of each: no framework is started."""

import json
from pathlib import Path
from typing import Any

import pytest
from planted import FAULTS
from planted.fault import FRAMEWORKS, Fault, NotPlanted, plant, planted_text
from planted.outcome import Measure, Outcome, measures
from planted.table import cell_id, is_right, to_markdown

from rosetta.contenders.contender import parse_contender
from rosetta.contenders.manifest import frameworks
from rosetta.record.result import Check, DropoutCheck, Equivalence, TensorError
from rosetta.workloads import find_workload

HARMFUL = Fault("torch", "mnist_mlp", "rho", "mnist_mlp.py", "alpha=0.9", "alpha=0.99", "leaves ρ")
HARMLESS = Fault("jax", "mnist_mlp", "late", "mnist_mlp.py", "a", "b", "counts from 1", harmless="Too small.")


def test_every_fault_can_be_planted() -> None:
    wrong = []
    for fault in FAULTS:
        before = (FRAMEWORKS / fault.framework / fault.file).read_text("utf-8")
        try:
            after = planted_text(fault, before)
            assert after != before, fault.id
            if fault.file.endswith(".py"):
                compile(after, fault.id, "exec")
        except (NotPlanted, SyntaxError) as error:
            wrong.append(str(error))
    assert not wrong


def test_there_are_sixty_in_six_frameworks_each_with_a_name_of_its_own() -> None:
    assert len(FAULTS) >= 60
    assert len({fault.framework for fault in FAULTS}) >= 6
    assert len({fault.id for fault in FAULTS}) == len(FAULTS)
    assert {fault.seen_by for fault in FAULTS} == {"verify", "run"}


def test_each_says_what_an_author_did_of_a_contender_and_a_workload_that_there_are() -> None:
    known = frameworks()
    for fault in FAULTS:
        assert fault.means, fault.id
        assert fault.harmless == "" or len(fault.harmless) > 40, fault.id
        assert not parse_contender(fault.contender, known).why_not(find_workload(fault.workload).module), fault.id


def test_a_text_that_is_there_twice_or_not_at_all_is_refused() -> None:
    for text in ("alpha=0.9 alpha=0.9", "rho=0.9"):
        with pytest.raises(NotPlanted, match="times, not once"):
            planted_text(HARMFUL, text)


def test_a_copy_stands_in_the_place_of_the_built_in_one_with_the_fault_alone(tmp_path: Path) -> None:
    copy = plant(HARMFUL, tmp_path)
    assert frameworks([tmp_path])["torch"].folder == copy.resolve()
    changed = [
        path.name
        for path in sorted((FRAMEWORKS / "torch").glob("*.*"))
        if path.read_bytes() != (copy / path.name).read_bytes()
    ]
    assert changed == ["mnist_mlp.py"]


def test_a_result_belongs_to_the_fault_and_to_the_source() -> None:
    keys = {HARMFUL.key("source"), HARMFUL.key("changed"), HARMLESS.key("source"), HARMFUL.correct.key("source")}
    assert len(keys) == 4
    assert HARMFUL.key("source") == HARMFUL.key("source")


def error(value: float | None, tolerance: float, tensor: str = "w") -> TensorError:
    return TensorError(error=value, tolerance=tolerance, tensor=tensor)


def test_every_check_of_a_proof_is_measured_by_its_tolerance() -> None:
    proof = Equivalence(
        passed=False,
        logits=error(2e-6, 1e-5),
        loss=error(None, 1e-5),
        gradients=error(1e-4, 1e-4),
        update=error(3e-3, 1e-3),
        dropout=DropoutCheck(tensor="w", distance=1.0, expected=0.4, sd=0.05, passed=False),
        further=[Check(name="late state", error=5.0, tolerance=0.5), Check(name="exact", error=1.0, tolerance=0.0)],
    )
    found = {measure.check: measure for measure in measures(proof)}
    assert {name: measure.fails for name, measure in found.items()} == {
        "logits": False,
        "loss": True,
        "gradients": False,
        "update": True,
        "dropout": True,
        "late state": True,
        "exact": True,
    }
    assert found["loss"].times is None
    assert found["logits"].times == pytest.approx(0.2)
    assert found["dropout"].times == pytest.approx(2)
    assert found["late state"].times == pytest.approx(10)


def test_a_network_that_is_not_trained_has_fewer_checks() -> None:
    assert [m.check for m in measures(Equivalence(passed=True, logits=error(0.0, 1e-5)))] == ["logits"]


def outcome(fault: Fault, verdict: str, *times: float, **more: Any) -> Outcome:
    found = [Measure(check=f"check {i}", detail="w", times=value) for i, value in enumerate(times)]
    fields = {"key": fault.id, "id": fault.id, "verdict": verdict, "reason": "because", "measures": found, "seconds": 9}
    return Outcome.model_validate(fields | more)


def test_what_passes_needs_a_reason_and_a_correct_copy_needs_room() -> None:
    assert is_right(HARMFUL, outcome(HARMFUL, "caught", 2.0))
    assert not is_right(HARMFUL, outcome(HARMFUL, "passes", 0.5))
    assert not is_right(HARMFUL, outcome(HARMFUL, "ended"))
    assert is_right(HARMLESS, outcome(HARMLESS, "passes", 0.5))
    correct = HARMFUL.correct
    assert is_right(correct, outcome(correct, "passes", 0.3))
    assert not is_right(correct, outcome(correct, "passes", 0.4))
    assert not is_right(correct, outcome(correct, "caught", 2.0))
    assert not is_right(correct, outcome(correct, "ended"))


def test_the_table_has_the_worst_check_first_and_the_reasons() -> None:
    correct = HARMFUL.correct
    found = {
        HARMFUL.id: outcome(HARMFUL, "caught", 1234.0, 56789.0, 0.1, day="2026-11-03"),
        HARMLESS.id: outcome(HARMLESS, "passes", 0.5, day="2026-11-02"),
        cell_id(correct): outcome(correct, "passes", 0.1),
    }
    page = to_markdown([HARMFUL, HARMLESS], [correct], found, "the command")
    assert "| `torch` | `mnist_mlp` | rho | leaves ρ | check 1 (w) | 57,000 | check 0 |" in page
    assert "| late | counts from 1 | check 0 (w), 0.5 of its tolerance | Too small. |" in page
    assert "| `torch` | `mnist_mlp` | check 0 (w) | 10 |" in page
    assert "2 faults in 2 frameworks" in page
    assert "1 are caught, 1 pass." in page
    assert "`the command`, 2026-11-02 to 2026-11-03:" in page
    assert "torch==" in page


def test_what_passes_though_it_can_matter_and_what_is_missing_is_told() -> None:
    page = to_markdown([HARMFUL, HARMLESS], [], {HARMFUL.id: outcome(HARMFUL, "passes", 0.5)}, "the command")
    assert "**passes, though it can matter**" in page
    assert "why it can't matter\n" not in page
    assert "1 aren't tried yet" in page


def test_of_a_timed_fault_that_passes_it_is_told_how_many_steps_its_calls_had() -> None:
    page = to_markdown([HARMFUL], [], {HARMFUL.id: outcome(HARMFUL, "passes", 0.5, steps=17)}, "the command")
    assert "0.5 of its tolerance; calls of up to 17 steps" in page


def test_found_before_is_found_again_but_for_a_line_that_was_cut_short(tmp_path: Path) -> None:
    from faults import read_outcomes

    whole, file = outcome(HARMFUL, "caught", 2.0), tmp_path / "faults.jsonl"
    file.write_text(whole.model_dump_json() + "\n" + json.dumps({"key": "cut"})[:-3], "utf-8")
    assert read_outcomes(file) == {whole.key: whole}
    assert read_outcomes(tmp_path / "none.jsonl") == {}
