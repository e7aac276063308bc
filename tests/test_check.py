"""``rosetta check`` with real networks in PyTorch: ports that are the same, planted faults, code that misbehaves."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import rosetta
from rosetta.environments.client import Timeouts
from rosetta.errors import RosettaError
from rosetta.record.check import CheckResult, PortCheck

NETWORKS = Path(__file__).parent / "networks"
CONVOLUTIONAL = f"torch:{NETWORKS / 'convolutional.py'}"
MISBEHAVING = f"torch:{NETWORKS / 'misbehaving.py'}"
SAME = ("Net", "ChannelsLast", "Rewritten")
# Each fault with the mode and the kind of quantity that has to show it.
FAULTS = {
    "OtherEpsilon": ("evaluation", "output"),
    "TanhGelu": ("evaluation", "output"),
    "TransposedKernel": ("evaluation", "output"),
    "OtherPadding": ("evaluation", "output"),
    "BatchStatistics": ("evaluation", "output"),
    "StatisticsKept": ("training", "statistic"),
    "Detached": ("training", "gradient"),
}
OTHERS = ("NearEpsilon", "NoDropout", "NoBias")


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PortCheck]:
    names = [*SAME, *FAULTS, *OTHERS]
    saved = tmp_path_factory.mktemp("pairs") / "pairs.json"
    result = rosetta.check(
        f"{CONVOLUTIONAL}:Net", [f"{CONVOLUTIONAL}:{name}" for name in names], inputs="3x8x8", save_pairs=saved
    )
    assert not result.same
    assert CheckResult.model_validate_json(result.model_dump_json()) == result
    assert set(json.loads(saved.read_text())["ports"]) == {port.network for port in result.ports if port.pairs}
    return dict(zip(names, result.ports, strict=True))


@pytest.mark.parametrize("name", SAME)
def test_harmless_rewrites_are_the_same(checked: dict[str, PortCheck], name: str) -> None:
    port = checked[name]
    assert not port.failure
    wrong = [q for q in port.quantities if q.verdict != "the same"]
    assert port.verdict == "the same", wrong
    assert {(q.mode, q.what) for q in port.quantities} >= {
        *((mode, what) for mode in ("evaluation", "training") for what in ("output", "scalar", "gradient")),
        ("training", "statistic"),
    }
    assert port.in_float64 and max(q.error_float64 for q in port.quantities) < 1e-9


def test_what_was_rewritten_is_told(checked: dict[str, PortCheck]) -> None:
    flattened = {pair.standard: pair.flattened for pair in checked["ChannelsLast"].pairs}
    assert flattened["hidden.weight"] == [6, 4, 4] and flattened["out.weight"] is None
    rewritten = {pair.standard: pair for pair in checked["Rewritten"].pairs}
    assert rewritten["left.weight"].port == "second.1.weight" and rewritten["right.bias"].port == "second.0.bias"
    assert rewritten["hidden.weight"].port == "w1" and rewritten["hidden.weight"].axes == [1, 0]
    assert checked["Rewritten"].paired_by == "trial"


@pytest.mark.parametrize("name", FAULTS)
def test_planted_faults_are_not_the_same(checked: dict[str, PortCheck], name: str) -> None:
    port = checked[name]
    assert not port.failure and port.verdict == "not the same"
    wrong = {(q.mode, q.what) for q in port.quantities if q.verdict == "not the same"}
    assert FAULTS[name] in wrong
    assert port.worst is not None and (port.worst.times is None or port.worst.times > 10)


# Where each that is seen in evaluation parts, and whether within that sub-module or in what comes before it.
PARTINGS = {
    "OtherEpsilon": ("norm", True),
    "OtherPadding": ("conv", True),
    "BatchStatistics": ("norm", True),
    "TanhGelu": ("left", False),
    "TransposedKernel": ("norm", False),
    "NearEpsilon": ("norm", True),
}


@pytest.mark.parametrize("name", PARTINGS)
def test_where_it_parts_is_found(checked: dict[str, PortCheck], name: str) -> None:
    port = checked[name]
    assert [part.standard for part in port.parts] == ["conv", "norm", "left", "right", "hidden", "out"]
    assert port.parts_at is not None
    assert (port.parts[port.parts_at].standard, port.parts_within) == PARTINGS[name]


CAUSES = {
    "OtherEpsilon": "ε = 0.001 instead of 1e-05",
    "OtherPadding": "padding 1x1 before and 1x1 after of the edge instead of 1x1 before and 1x1 after of zeros",
    "BatchStatistics": "statistics the batch's instead of the running ones",
    "NearEpsilon": "",  # 1.1e-5 isn't among those that are tried
    "TanhGelu": "after norm: function: GELU by tanh instead of exact GELU",  # which is no sub-module
    # In the port it is no sub-module either: what goes into the next one tells it.
    "TransposedKernel": "conv: the kernel with height and width exchanged instead of as it is",
}


@pytest.mark.parametrize("name", CAUSES)
def test_the_cause_is_named_if_it_reproduces_the_numbers(checked: dict[str, PortCheck], name: str) -> None:
    assert checked[name].cause == CAUSES[name]


def test_what_is_the_same_in_evaluation_parts_nowhere(checked: dict[str, PortCheck]) -> None:
    assert not any(checked[name].parts for name in (*SAME, "StatisticsKept", "NoDropout"))


def test_a_fault_in_training_alone_is_seen_there_alone(checked: dict[str, PortCheck]) -> None:
    wrong = {(q.mode, q.what) for q in checked["StatisticsKept"].quantities if q.verdict != "the same"}
    assert wrong == {("training", "statistic")}


def test_what_is_beyond_rounding_and_within_the_tolerances_is_the_same_up_to_that(
    checked: dict[str, PortCheck],
) -> None:
    port = checked["NearEpsilon"]
    assert port.verdict == "the same up to precision"
    assert 2e-7 < port.precision < 1e-5


def test_dropout_that_is_missing_is_seen(checked: dict[str, PortCheck]) -> None:
    port = checked["NoDropout"]
    assert port.verdict == "not the same"
    assert (port.dropout.standard, port.dropout.port) == ([0.5], [])
    assert all(q.verdict == "the same" for q in port.quantities)


def test_what_is_left_over_is_named(checked: dict[str, PortCheck]) -> None:
    assert "The standard alone has out.bias (5)" in checked["NoBias"].failure
    assert checked["NoBias"].verdict is None


# What each must be told to have done.
MISDEEDS = {
    "NeedsArguments": r"missing a required argument: 'width'.*NeedsArguments\(width, \*, depth=1\)",
    "Raises": r"KeyError: 'planted .*misbehaving\.py, line \d+, in forward",
    "Exits": r"it ends the process: SystemExit\(3\)",
    "Dies": r"the worker ended with exit status 7",
    "Hangs": r"open_own hung: no answer within 20 s",
    "WrongShape": r"mat1 and mat2 shapes cannot be multiplied \(4x4 and 5x3\).*in forward",
    "IsRandom": r"is random in evaluation mode",
    "NoGradient": r"the outputs have no gradient",
    "NoParameters": r"The port has no parameter: there is nothing to pair",
    "OtherOutputs": r"The port gives 2 outputs, the standard 1",
    "Missing": r"misbehaving\.py has no Missing; it has .*NeedsArguments",
    "number": r"number is a int: neither a torch\.nn\.Module nor what makes one",
    "function_of_nothing": r"function_of_nothing\(…\) gives a int, not a torch\.nn\.Module",
}


KEYWORDS = ("Keywords", "KeywordsAndMore", "KeywordsOtherwise")


@pytest.fixture(scope="module")
def misbehaved() -> dict[str, PortCheck]:
    names = [*MISDEEDS, "NotANumber", "OnlyFloat32", "Float32Inside", "Net", *KEYWORDS]
    result = rosetta.check(
        f"{MISBEHAVING}:Net",
        [f"{MISBEHAVING}:{name}" for name in names],
        inputs="4",
        timeouts=Timeouts(building=20),
    )
    return dict(zip(names, result.ports, strict=True))


@pytest.mark.parametrize("name", MISDEEDS)
def test_misdeeds_are_told_and_the_others_go_on(misbehaved: dict[str, PortCheck], name: str) -> None:
    import re

    assert re.search(MISDEEDS[name], misbehaved[name].failure, re.DOTALL), misbehaved[name].failure
    assert misbehaved[name].verdict is None
    assert misbehaved["Net"].verdict == "the same"


def test_a_port_that_is_not_finite_is_not_the_same(misbehaved: dict[str, PortCheck]) -> None:
    port = misbehaved["NotANumber"]
    assert port.verdict == "not the same"
    assert any(q.note == "isn't finite" for q in port.quantities)


def test_where_it_parts_is_found_also_of_what_is_called_by_keyword(misbehaved: dict[str, PortCheck]) -> None:
    assert misbehaved["Keywords"].verdict == "the same"
    outside, inside = misbehaved["KeywordsAndMore"], misbehaved["KeywordsOtherwise"]
    assert [part.standard for part in outside.parts] == ["fc"] and outside.parts_at is None
    assert (inside.parts_at, inside.cause) == (0, "") and not inside.notes


def test_a_port_in_float32_alone_is_held_to_float32(misbehaved: dict[str, PortCheck]) -> None:
    port = misbehaved["Float32Inside"]
    assert (port.verdict, port.in_float64) == ("the same", False)
    assert "It doesn't compute in float64" in port.notes[0]
    assert misbehaved["OnlyFloat32"].verdict == "the same", "what is off by a rounding is off by no more"


@pytest.mark.parametrize(
    "name, said",
    {
        "NotANumber": "isn't finite",
        "IsRandom": "is random in evaluation",
        "RandomInTraining": "in training mode its own float32 outputs are off",
    }.items(),
)
def test_a_standard_that_nothing_can_be_held_against_is_refused(name: str, said: str) -> None:
    with pytest.raises(RosettaError, match=said):
        rosetta.check(f"{MISBEHAVING}:{name}", f"{MISBEHAVING}:Net", inputs="4")


def test_the_command_prints_one_json_document_and_says_it_by_its_exit_code(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("SIZE = 3\n")
    (tmp_path / "model.py").write_text(
        "import torch\nfrom helper import SIZE\n\nprint('hello')\n\n"
        "def make(width=2):\n    return torch.nn.Sequential(torch.nn.Linear(4, width), torch.nn.Linear(width, SIZE))\n"
    )
    command = [sys.executable, "-m", "rosetta", "check", "torch:model.py:make(width=5)"]
    same = [*command, "torch:model:make(width=5)", "--input", "4", "--json", "--save-pairs", "pairs.json"]
    done = subprocess.run(same, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = CheckResult.model_validate_json(done.stdout)
    assert result.same and result.parameters == 43 and "hello" not in done.stdout
    # The pairs that were saved, two of them exchanged by hand, are those that are taken.
    pairs = json.loads((tmp_path / "pairs.json").read_text())
    given = pairs["ports"]["torch:model:make(width=5)"]
    assert [pair["port"] for pair in given] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    del given[0]
    (tmp_path / "pairs.json").write_text(json.dumps(pairs))
    done = subprocess.run(
        [*same[:-2], "--pairs", "pairs.json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "the standard's 0.weight isn't there" in json.loads(done.stdout)["ports"][0]["failure"]
