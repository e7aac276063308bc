"""The contract as those who write a framework run it: from any folder, and it catches what it is there for."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FAKE = Path(__file__).parent / "frameworks" / "fake"


def contract(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("pytest")), "--pyargs", "rosetta.contract", "-ra", *words]
    # Where Rosetta is installed to be edited, pytest would take the settings of its folder.
    return subprocess.run([*command, "-c", "/dev/null"], cwd=folder, capture_output=True, text=True, timeout=200)


def test_a_contender_on_the_way_passes_and_is_told_what_it_lacks(tmp_path: Path) -> None:
    done = contract(tmp_path, "--contender", "fake", "--frameworks", str(FAKE.parent))
    assert done.returncode == 0, done.stdout
    assert "3 passed, 3 skipped" in done.stdout
    assert "Fake has no implementation of mnist_cnn" in done.stdout and "no optimizer_state" in done.stdout


def test_without_a_contender_it_says_how_to_name_one(tmp_path: Path) -> None:
    done = contract(tmp_path)
    assert done.returncode != 0 and "--contender NAME" in done.stdout


# A fault, where it is planted, and the tests that must fail.
FAULTS = {
    "gradients are right for one batch size": (
        ("mnist_mlp.py", "probabilities / len(labels)", "probabilities / 128"),
        {"test_in_batches_of_another_size_it_is_the_same"},
    ),
    "the first weights predict": (
        ("trainer.py", "forward(self.values,", "forward(self.__dict__.setdefault('kept', self.values),"),
        {"test_the_last_weights_predict", "test_a_network_with_dropout_is_the_same"},
    ),
    "dropout of another rate": (
        ("trainer.py", "RATE = 0.2", "RATE = 0.3"),
        {"test_a_network_with_dropout_is_the_same"},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_fails_its_tests(fault: str, tmp_path: Path) -> None:
    (name, old, new), tests = FAULTS[fault]
    copy = shutil.copytree(FAKE, tmp_path / "mine" / "fake")
    text = (copy / name).read_text("utf-8")
    assert text.count(old) == 1
    (copy / name).write_text(text.replace(old, new), "utf-8")
    done = contract(tmp_path, "--contender", "fake", "--frameworks", "mine")
    failed = {line.split("::")[2].split("[")[0] for line in done.stdout.splitlines() if line.startswith("FAILED")}
    assert failed == tests, done.stdout
