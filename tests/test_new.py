"""``rosetta new framework``: what it makes is proven at once, and it takes nobody's place."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from rosetta.cli.new import copy_skeleton
from rosetta.errors import RosettaError

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[1]
FILES = ["framework.toml", "mnist_mlp.py", "parameters.py", "standalone.py", "trainer.py"]


def done(folder: Path, *words: str) -> str:
    """Run a command of this environment in a folder and return what it printed; it must succeed."""
    command, wide = [str(BIN / words[0]), *words[1:]], {**os.environ, "COLUMNS": "200"}
    ran = subprocess.run(command, cwd=folder, env=wide, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_what_it_makes_passes_what_it_says_passes(tmp_path: Path) -> None:
    said = done(tmp_path, "rosetta", "new", "framework", "mine")
    assert sorted(file.name for file in (tmp_path / "mine").iterdir()) == FILES
    verify, contract = (shlex.split(line) for line in said.splitlines() if line.startswith(("rosetta", "pytest")))
    assert "the same network" in done(tmp_path, *verify)
    # Where Rosetta is installed to be edited, pytest would take the settings of its folder.
    assert "4 passed, 2 skipped" in done(tmp_path, *contract, "-ra", "-c", "/dev/null")


def test_it_runs_as_a_script(tmp_path: Path) -> None:
    done(tmp_path, "rosetta", "new", "framework", "mine", "--out", "own")
    shown = done(tmp_path, "rosetta", "show", "mnist_mlp", "--in", "mine", "--script", "--frameworks", "own")
    (tmp_path / "mlp.py").write_text(shown, "utf-8")
    ran = done(tmp_path, "python", "mlp.py", "--samples", "12800")
    assert (found := re.search(r"accuracy: ([\d.]+)", ran)) and float(found[1]) > 0.5, ran


def test_the_name_stands_wherever_the_skeletons_did(tmp_path: Path) -> None:
    text = "".join(file.read_text("utf-8") for file in copy_skeleton("my-own_2", tmp_path))
    assert 'name = "my-own_2"' in text and "skeleton" not in text


@pytest.mark.parametrize(
    "name", ["numpy", "torch", "Torch", "keras2", "", "2mine", "../mine", "a.b", "mine[fast]", "-x"]
)
def test_a_bad_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(RosettaError, match=r"can't be a framework's name|has a framework .* already"):
        copy_skeleton(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    copy_skeleton("mine", tmp_path)
    (tmp_path / "mine" / "trainer.py").write_text("changed")
    with pytest.raises(RosettaError, match="exists already"):
        copy_skeleton("mine", tmp_path)
    assert (tmp_path / "mine" / "trainer.py").read_text() == "changed"


def test_it_is_in_what_is_installed(tmp_path: Path) -> None:
    done(ROOT, "python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), ".")
    (wheel,) = tmp_path.glob("*.whl")
    listed = done(tmp_path, "python", "-m", "zipfile", "--list", str(wheel))
    inside = {Path(line.split()[0]).name for line in listed.splitlines() if "contenders/skeleton/" in line}
    assert inside == set(FILES)
