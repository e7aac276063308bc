"""Implementations as scripts and notebooks: they hang on nothing of Rosetta, and they train."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rosetta import datasets
from rosetta.contenders.contender import Contender, parse_contender
from rosetta.contenders.manifest import frameworks
from rosetta.datasets.spec import PreparedDataset
from rosetta.environments.build import build
from rosetta.environments.variables import clean_environment
from rosetta.errors import RosettaError
from rosetta.paths import cache_folder
from rosetta.standalone import script as standalone
from rosetta.workloads import find_workload, workloads

CURRENT = ("torch", "jax", "tensorflow", "keras[torch]", "keras[jax]", "keras[tensorflow]", "numpy")
OTHERS = (
    *("mlx", "paddle", "tinygrad", "pytensor", "chainer", "mxnet", "mxnet[module]", "lasagne"),
    *("keras2[theano]", "keras2[mxnet]", "keras2[cntk]", "cntk", "caffe2"),
)
SAMPLES = ("--samples", "512")
RUN = """
import json, runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
print("modules", [name for name in sys.modules if name.partition(".")[0] in ("rosetta", "rosetta_worker")])
"""
CELLS = """
import json, sys
names = {"__name__": "__main__"}
for cell in json.load(open(sys.argv[1]))["cells"]:
    if cell["cell_type"] == "code":
        exec("".join(cell["source"]).replace("SAMPLES = None", "SAMPLES = 512"), names)
"""


def contender(name: str) -> Contender:
    return parse_contender(name, frameworks())


def described(dataset: str) -> PreparedDataset:
    """What a script needs to know of a data set, without preparing it."""
    names = [given.name for given in datasets.datasets()[dataset].inputs]
    folder = Path("/data") / dataset
    files = [
        *(tuple(folder / f"{split}_{name}.npy" for name in names) for split in ("train", "test")),
        *(folder / f"{split}_labels.npy" for split in ("train", "test")),
    ]
    scale = datasets.datasets()[dataset].scale
    return PreparedDataset(dataset, "real", (), files[0], files[2], files[1], files[3], scale, "", 0.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [*CURRENT, *OTHERS])
def test_every_implementation_is_a_tidy_script_without_rosetta(name: str, tmp_path: Path) -> None:
    one = contender(name)
    for workload in workloads().values():
        if one.why_not(workload.module) or (name, workload.name) == ("mxnet[module]", "cifar10_keras_cnn_loader"):
            continue
        if why := one.why_no_text(workload.module):
            with pytest.raises(RosettaError, match=why):
                standalone.script(one, workload, described(workload.dataset))
            continue
        text = standalone.script(one, workload, described(workload.dataset))
        imported = {
            name.partition(".")[0]
            for node in ast.walk(ast.parse(text))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else ["." * node.level + (node.module or "")]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert not imported & {"", "rosetta", "rosetta_worker"}
        (tmp_path / f"{workload.name}.py").write_text(text)
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length", "120", "--target-version", "py38"]
    done = subprocess.run(
        [*ruff, "--select", "E,F,B", "--ignore", "E402", str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_where_two_modules_have_one_name_it_is_an_error() -> None:
    """MXNet's loader for modules has a ``make_loader`` that calls Gluon's ``make_loader``."""
    workload = find_workload("cifar10_keras_cnn_loader")
    with pytest.raises(RosettaError, match="have the same name, make_loader, for two things"):
        standalone.script(contender("mxnet[module]"), workload, described("cifar10"))


def test_a_variant_or_device_that_the_script_would_ignore_is_an_error() -> None:
    workload = find_workload("mnist_mlp")
    with pytest.raises(RosettaError, match="PyTorch's script has no variant bf16"):
        standalone.script(contender("torch[bf16]"), workload, described("mnist"))
    with pytest.raises(RosettaError, match="can't run with replicas"):
        standalone.script(contender("torch@2xcpu"), workload, described("mnist"))
    with pytest.raises(RosettaError, match="can't run on cuda"):
        standalone.script(contender("tensorflow@cuda"), workload, described("mnist"))
    assert 'DEVICE = "cuda"' in standalone.script(contender("torch@cuda"), workload, described("mnist"))
    assert "model.compile()" in standalone.script(contender("torch[compile]"), workload, described("mnist"))


def test_a_framework_without_a_main_part_says_so(tmp_path: Path) -> None:
    fake = Path(__file__).parent / "frameworks"
    one = parse_contender("fake", frameworks([fake]))
    with pytest.raises(RosettaError, match=r"its folder has no standalone\.py"):
        standalone.script(one, find_workload("mnist_mlp"), described("mnist"))


def run(name: str, command: list[str], folder: Path) -> str:
    """Run a command of the contender's Python as its users would, but for the home folder; return what it printed."""
    one = contender(name)
    environment = build(one)
    done = subprocess.run(
        [environment.python, "-s", *command],
        env=clean_environment(environment.home) | environment.variables(one),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def accuracy(printed: str) -> float:
    """Read the accuracy that a script printed, after a loss that is one."""
    loss = re.search(r"mean loss ([0-9.]+)", printed)
    assert loss and 0 < float(loss[1]) < 10, printed
    found = re.search(r"accuracy: ([0-9.]+) on \d+ test samples", printed)
    assert found, printed
    return float(found[1])


def made(name: str, workload: str, data: Path | None, folder: Path) -> Path:
    chosen = find_workload(workload)
    prepared = datasets.prepare(chosen.dataset, data, cache_folder() / "data", download=False)
    file = folder / f"{workload}.py"
    file.write_text(standalone.script(contender(name), chosen, prepared))
    return file


LATER = [pytest.param(name, marks=pytest.mark.long) for name in (*CURRENT[2:], *OTHERS)]


@pytest.mark.parametrize("name", [*CURRENT[:2], *LATER])
def test_a_script_trains_without_rosetta(name: str, data_folder: Path | None, tmp_path: Path) -> None:
    file = made(name, "mnist_mlp", data_folder, tmp_path)
    printed = run(name, ["-c", RUN, str(file), *SAMPLES], tmp_path)
    assert accuracy(printed) > 0.2  # a tenth by chance
    assert printed.splitlines()[-1] == "modules []"


def test_a_convolutional_script_trains(data_folder: Path | None, tmp_path: Path) -> None:
    file = made("torch", "cifar10_cnn", data_folder, tmp_path)
    printed = run("torch", ["-c", RUN, str(file), "--samples", "256"], tmp_path)
    assert 0 <= accuracy(printed) <= 1
    assert "epoch: 4 steps" in printed and printed.splitlines()[-1] == "modules []"


def test_a_notebook_runs_cell_by_cell(data_folder: Path | None, tmp_path: Path) -> None:
    workload = find_workload("mnist_mlp")
    prepared = datasets.prepare(workload.dataset, data_folder, cache_folder() / "data", download=False)
    text = standalone.notebook(contender("torch"), workload, prepared)
    assert text == standalone.notebook(contender("torch"), workload, prepared)
    cells = json.loads(text)["cells"]
    assert cells[0]["cell_type"] == "markdown" and "argparse" not in text
    assert sum(cell["cell_type"] == "code" for cell in cells) > 6
    (tmp_path / "mnist.ipynb").write_text(text)
    assert accuracy(run("torch", ["-c", CELLS, "mnist.ipynb"], tmp_path)) > 0.2


def test_the_command_writes_a_script(data_folder: Path | None) -> None:
    data = ["--data", str(data_folder)] if data_folder else []
    command = [str(Path(sys.executable).with_name("rosetta")), "show", "mnist_mlp", "--in", "jax", *data]
    done = subprocess.run([*command, "--script"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "rosetta show" in (ast.get_docstring(ast.parse(done.stdout)) or "")
    both = subprocess.run([*command, "--script", "--notebook"], capture_output=True, text=True, timeout=60)
    assert both.returncode == 2 and "both given" in both.stderr
