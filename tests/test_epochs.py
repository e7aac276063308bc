"""The published protocol: a round is an epoch with its accuracy, and a killed run repeats what it had."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from rosetta.benchmark.observer import Observer
from rosetta.benchmark.run import conduct
from rosetta.record.directory import create
from rosetta.record.plan import Plan
from rosetta.record.presets import find_preset
from rosetta.record.result import Result
from rosetta.workloads import find_workload

FAKE = Path(__file__).parent / "frameworks" / "fake"
EPOCH = 60_000 // 128 * 128


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, data_folder: Path | None) -> tuple[Path, Result]:
    """Two epochs of the fake framework, as the preset ``full`` trains them: who can reseed repeats them exactly."""
    folder = tmp_path_factory.mktemp("epochs") / "run"
    copy = shutil.copytree(FAKE, folder.parent / "frameworks" / "fake")
    with (copy / "trainer.py").open("a") as trainer:
        trainer.write("\n    def reseed(self, seed):\n        self.random = np.random.default_rng(seed)\n")
    plan = Plan(
        workloads=["mnist_mlp"],
        contenders=["fake"],
        preset="full",
        epochs=True,
        launches=1,
        rounds=2,
        test_samples=find_preset("full").test_samples,
        data=str(data_folder) if data_folder else None,
        frameworks=[str(copy.parent)],
    )
    create(plan, folder)
    return folder, conduct(folder, Observer())


def test_full_is_the_published_protocol() -> None:
    full, workload = find_preset("full"), find_workload("mnist_mlp")
    assert full.epochs
    plan = Plan("mnist_mlp", "numpy", preset="full")
    assert plan.epochs and plan.launches == 1 and plan.test_samples is None
    assert plan.rounds_of(workload) == workload.epochs == 20
    assert plan.rounds_of(find_workload("resnet50_features")) == 1


def test_many_workloads_have_fewer_launches() -> None:
    few, many = find_preset("quick", 2), find_preset("quick", 10)
    assert many == dataclasses.replace(few, launches=many.launches, minutes=None) and many.launches < few.launches
    assert find_preset("full", 10) == find_preset("full")


def test_a_round_is_an_epoch_and_the_accuracy_is_taken_after_each(trained: tuple[Path, Result]) -> None:
    found = trained[1].results[0].contenders[0]
    assert found.status == "ok", found.reason
    assert [chunk.steps for chunk in found.chunks] == [EPOCH // 128] * 2
    # The steps that warm the process up are forgotten: training starts at the initial parameters.
    assert [chunk.trained_samples for chunk in found.chunks] == [EPOCH, 2 * EPOCH]
    assert [accuracy.trained_samples for accuracy in found.accuracies] == [EPOCH, 2 * EPOCH]
    assert found.accuracies[0].value > 0.7
    assert [accuracy.test_samples for accuracy in found.accuracies] == [10_000] * 2, "all test images"
    assert found.trained_samples == 2 * EPOCH


def test_a_killed_run_repeats_the_epochs_it_had_and_ends_as_if_nothing_had_happened(
    trained: tuple[Path, Result], tmp_path: Path
) -> None:
    folder, whole = trained
    killed = tmp_path / "killed"
    killed.mkdir()
    shutil.copy(folder / "plan.json", killed)
    lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    second = [number for number, line in enumerate(lines) if b'"event":"chunk"' in line][1]
    (killed / "events.jsonl").write_bytes(b"".join(lines[:second]))
    resumed = conduct(killed, Observer()).results[0].contenders[0]
    before = whole.results[0].contenders[0]
    assert [chunk.loss for chunk in resumed.chunks] == [chunk.loss for chunk in before.chunks]
    assert [accuracy.value for accuracy in resumed.accuracies] == [accuracy.value for accuracy in before.accuracies]
