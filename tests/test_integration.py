"""The whole path in real environments: two workloads, real data where it is, through the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rosetta.record.events import read_events
from rosetta.record.result import Result

DEFAULT = ("jax", "keras[torch]", "keras[jax]", "keras[tensorflow]", "tensorflow", "torch")
FEW = ("tensorflow", "torch")
WORKLOADS = ("mnist_mlp", "cifar10_cnn")
QUICK = ("mnist_mlp", "babi_rnn[qa4]")
DATA = {"mnist_mlp": "real", "cifar10_cnn": "real, first 1,017 test images", "babi_rnn[qa4]": "real"}
DEVIATE = {"mnist_mlp": {"keras"}, "cifar10_cnn": set(), "babi_rnn[qa4]": {"torch"}}
"""The frameworks, of those above, that declare to do something else on a workload."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((FEW, QUICK), id="few"),
        pytest.param((DEFAULT, WORKLOADS), id="default", marks=pytest.mark.alone),
    ],
)
def chosen(request: pytest.FixtureRequest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Two contenders on quick workloads; alone, what a user gets who names none, with the whole machine."""
    named: tuple[tuple[str, ...], tuple[str, ...]] = request.param
    return named


@pytest.fixture(scope="module")
def smoke(
    chosen: tuple[tuple[str, ...], tuple[str, ...]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Run ``rosetta run --preset smoke`` with no other argument than the data's place, or with a few names."""
    folder = tmp_path_factory.mktemp("runs") / "smoke"
    contenders, workloads = chosen
    named = [] if contenders == DEFAULT else [*workloads, *(w for name in contenders for w in ("--with", name))]
    data = Path(os.environ.get("ROSETTA_DATA") or Path(__file__).parents[2] / "shared" / "data")
    given = ["--data", str(data)] if data.is_dir() else []
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("rosetta")),
            "run",
            "--preset",
            "smoke",
            "--out",
            str(folder),
            *given,
            *named,
        ],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=1500,
    )
    return folder, done


@pytest.mark.timeout(1600)
def test_contenders_are_proven_and_measured_on_both_workloads(smoke, chosen) -> None:
    folder, done = smoke
    contenders, workloads = chosen
    assert done.returncode == 0, done.stderr[-3000:]
    result = Result.model_validate_json((folder / "result.json").read_bytes())
    assert result.complete
    assert [workload.workload for workload in result.results] == list(workloads)
    events = read_events(folder / "events.jsonl")
    products = [event for event in events if event["event"] == "product"]
    assert sorted(event["label"] for event in products) == sorted(contenders), "each multiplies once in the run"
    assert all(event["own"] and event["seconds"] and not event["reason"] for event in products)
    assert result.machine.peak_flops and result.machine.matmul_flops
    assert result.machine.peak_flops >= result.machine.matmul_flops
    rounds = [(event["workload"], event["launch"], event["round"]) for event in events if event["event"] == "round"]
    assert sorted(rounds) == [(name, n, r) for name in sorted(workloads) for n in (0, 1) for r in (0, 1)]
    for workload in result.results:
        assert [contender.name for contender in workload.contenders] == list(contenders)
        for contender in workload.contenders:
            assert contender.status == "ok", contender.reason
            assert contender.equivalence is not None and contender.equivalence.passed
            assert contender.version and contender.packages
            clocks = (contender.import_seconds, contender.build_seconds, contender.first_step_seconds)
            assert all(clock is not None and clock > 0 for clock in clocks)
            assert len(contender.chunks) == 4
            assert contender.ratio is not None and contender.ratio.low is not None
            assert contender.samples_per_second and contender.peak_memory_bytes
            # Another of pytest's processes may have held back the products, and not the chunks: then it is a warning.
            assert contender.fraction_of_peak or contender.impossible_fraction
        fastest = max(workload.contenders, key=lambda c: c.samples_per_second or 0)
        assert all(contender.ratio.to == fastest.name for contender in workload.contenders)


def test_real_data_is_learned_from(smoke, real_data: Path) -> None:
    folder, _ = smoke
    results = Result.model_validate_json((folder / "result.json").read_bytes()).results
    assert [workload.data for workload in results] == [DATA[workload.workload] for workload in results]
    assert all(contender.accuracy > 0.5 for contender in results[0].contenders)


def test_contenders_declare_what_they_do_differently(smoke) -> None:
    folder, _ = smoke
    for workload in Result.model_validate_json((folder / "result.json").read_bytes()).results:
        for contender in workload.contenders:
            deviates = contender.framework in DEVIATE[workload.workload]
            assert bool(contender.equivalence.deviation) is deviates
            assert (contender.equivalence.deviation_size is not None) is deviates


def test_what_was_measured_can_be_reported_compared_and_exported(smoke, chosen) -> None:
    folder, done = smoke
    contenders, _ = chosen
    rosetta = str(Path(sys.executable).with_name("rosetta"))
    for contender in contenders:
        assert contender in done.stdout
    assert "page" in done.stdout and (folder / "report.html").stat().st_size > 1_000_000
    csv = subprocess.run([rosetta, "report", str(folder), "--csv", "-"], capture_output=True, text=True, check=True)
    assert len(csv.stdout.strip().splitlines()) == 1 + 2 * len(contenders)
    compared = subprocess.run([rosetta, "compare", str(folder), str(folder)], capture_output=True, text=True)
    assert compared.returncode == 0, compared.stderr
    plan = json.loads((folder / "plan.json").read_text())
    assert plan["contenders"] == list(contenders)
