"""The float64 reference: gradients against finite differences, layers and optimisers by hand, margins to kinks.

The checks themselves are in ``reference_checks.py``; they run in the reference's environment, which has autograd.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

import rosetta_worker
from rosetta.contenders.contender import Contender
from rosetta.contenders.manifest import frameworks
from rosetta.environments.build import build
from rosetta.workloads import workloads

SCRIPT = Path(__file__).with_name("reference_checks.py")
CHECKS = re.findall(r"^def (check_\w+)", SCRIPT.read_text("utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """Each check's traceback, or None where it passed."""
    numpy = Contender(frameworks()["numpy"])
    python = build(numpy).python
    sources = Path(rosetta_worker.__file__).parents[1]
    known = tmp_path_factory.mktemp("reference") / "workloads.json"
    known.write_text(
        json.dumps({name: w.to_worker() | {"output_shape": w.output_shape} for name, w in workloads().items()}), "utf-8"
    )
    command, environment = [str(python), "-s", str(SCRIPT), str(sources), str(known)], os.environ | numpy.environment
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, str | None] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize("check", CHECKS)
def test_the_reference(check: str, found: dict[str, str | None]) -> None:
    assert check in found
    assert found[check] is None, found[check]


def test_there_are_checks() -> None:
    assert len(CHECKS) >= 50
