"""The frameworks outside the default set: their environments are built, and they are proven on two workloads."""

import subprocess
import sys
from pathlib import Path

import pytest

from rosetta.contenders.contender import DEFAULT_SET, contender_sets, parse_contender
from rosetta.contenders.manifest import frameworks
from rosetta.environments.build import build
from rosetta.environments.variables import clean_environment, thread_variables
from rosetta.machine.cpu import affinity
from rosetta.record.result import Result

WORKLOADS = ("mnist_mlp", "cifar10_cnn")
SETS = contender_sets(frameworks())
OTHERS = [name for name in SETS["all"] if name not in SETS[DEFAULT_SET]]
FOLDER = Path(__file__).parent


@pytest.fixture(scope="module")
def proofs(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Build and prove all of them in one run, as a user would."""
    folder = tmp_path_factory.mktemp("runs") / "others"
    contenders = [word for name in OTHERS for word in ("--with", name)]
    subprocess.run(
        [str(Path(sys.executable).with_name("rosetta")), "verify", *WORKLOADS, *contenders, "--out", str(folder)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=2400,
    )
    return Result.model_validate_json((folder / "result.json").read_bytes())


@pytest.mark.timeout(2500)
@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("contender", OTHERS)
def test_it_computes_the_same_network(contender: str, workload: str, proofs: Result) -> None:
    (found,) = [c for w in proofs.results if w.workload == workload for c in w.contenders if c.name == contender]
    assert found.status == "ok", found.reason
    assert found.equivalence is not None and found.equivalence.passed


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("contender", "script"),
    [
        ("cntk", "cntk_checks.py"),  # what stands in for CNTK's libraries does their work
        ("lasagne", "theano_blas.py"),  # Theano's matrix products are OpenBLAS's
        ("keras2[theano]", "theano_blas.py"),
        ("mxnet", "mxnet_onednn.py"),  # MXNet's convolutions are oneDNN's
        ("keras2[mxnet]", "mxnet_onednn.py"),
    ],
)
def test_its_environment_is_as_it_should_be(contender: str, script: str) -> None:
    """Run a script of checks by the environment's Python, with its workers' variables."""
    parsed = parse_contender(contender, frameworks())
    environment = build(parsed)
    variables = {**thread_variables(len(affinity())), **environment.variables(parsed)}
    done = subprocess.run(
        [environment.python, "-s", FOLDER / script],
        env=clean_environment(environment.home) | variables,
        cwd=environment.home,
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
