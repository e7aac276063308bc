"""What the environments of some old frameworks must have; that they compute the same network is in their contract."""

import subprocess
from pathlib import Path

import pytest

from rosetta.contenders.contender import parse_contender
from rosetta.contenders.manifest import frameworks
from rosetta.environments.build import build
from rosetta.environments.variables import clean_environment, thread_variables
from rosetta.machine.cpu import affinity

FOLDER = Path(__file__).parent


@pytest.mark.long
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
