"""Replicas: several copies of a network that share each batch train like one, with the statistics that they state."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rosetta.contenders.manifest import frameworks
from rosetta.record.result import ContenderResult, Result

pytestmark = pytest.mark.alone  # four processes each: on half of the machine they take twelve minutes
ROSETTA = str(Path(sys.executable).with_name("rosetta"))
CONTENDERS = (
    *("torch", "tensorflow", "jax", "keras[torch]", "keras[jax]", "keras[tensorflow]"),
    *("chainer", "mxnet", "paddle"),
)
WORKLOADS = ("babi_rnn[qa4]", "cifar10_tpu_cnn")


def verified(folder: Path, *words: str) -> dict[tuple[str, str], ContenderResult]:
    done = subprocess.run(
        [ROSETTA, "verify", *words, "--out", str(folder)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=1200,
    )
    assert (folder / "result.json").exists(), done.stderr
    result = Result.model_validate_json((folder / "result.json").read_bytes())
    return {(workload.workload, c.name): c for workload in result.results for c in workload.contenders}


@pytest.fixture(scope="module")
def proofs(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], ContenderResult]:
    contenders = [word for name in CONTENDERS for word in ("--with", f"{name}@4xcpu")]
    return verified(tmp_path_factory.mktemp("replicas") / "run", *WORKLOADS, *contenders)


@pytest.mark.timeout(1300)
@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("contender", CONTENDERS)
def test_four_replicas_train_like_one(
    contender: str, workload: str, proofs: dict[tuple[str, str], ContenderResult]
) -> None:
    found = proofs[workload, f"{contender}@4xcpu"]
    assert found.status == "ok", found.reason
    assert found.equivalence is not None and found.equivalence.passed
    stated = "normalises its part of a batch" in found.equivalence.deviation
    synchronised = "jax" in contender
    assert stated == (workload == "cifar10_tpu_cnn" and not synchronised)


FAULTS = {
    "no exchange of gradients": ("replicas.py", "self.parallel, self.optimizer", "self.model, self.optimizer"),
    "the statistics aren't those that it states": ("framework.toml", ', "statistics_of_the_first"]', "]"),
    "it states none": ("framework.toml", 'reference = ["statistics_of_replicas", "statistics_of_the_first"]', ""),
}


@pytest.mark.timeout(700)
@pytest.mark.parametrize("fault", FAULTS)
def test_replicas_that_are_not_as_stated_are_found_out(fault: str, tmp_path: Path) -> None:
    shutil.copytree(frameworks()["torch"].folder, tmp_path / "frameworks" / "torch")
    file, old, new = FAULTS[fault]
    path = tmp_path / "frameworks" / "torch" / file
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    words = ("cifar10_tpu_cnn", "--with", "torch@4xcpu", "--frameworks", str(tmp_path / "frameworks"))
    (found,) = verified(tmp_path / "run", *words).values()
    assert found.status == "not_equivalent" and found.equivalence and found.equivalence.update
    assert not found.equivalence.update.holds


def test_a_replica_that_fails_ends_the_others(tmp_path: Path) -> None:
    shutil.copytree(frameworks()["torch"].folder, tmp_path / "frameworks" / "torch")
    path = tmp_path / "frameworks" / "torch" / "replicas.py"
    text = path.read_text()
    planted = "        if distributed.get_rank() == 1:\n            raise RuntimeError('planted')\n"
    path.write_text(text.replace("    def train(self, batches):\n", f"    def train(self, batches):\n{planted}"))
    words = ("mnist_mlp", "--with", "torch@2xcpu", "--frameworks", str(tmp_path / "frameworks"))
    (found,) = verified(tmp_path / "run", *words).values()
    assert found.status == "failed" and "replica 1: RuntimeError: planted" in found.reason
