"""Networks of one's own raced: the plan of such a run, its record, and that it goes on as what it was."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

import rosetta
from rosetta import Observer, Plan, RosettaError
from rosetta.history.lines import read_points
from rosetta.networks.folder import read_folder
from rosetta.networks.samples import make_samples
from rosetta.record.directory import read_run
from rosetta.record.events import Event, read_events
from rosetta.record.plan import read_plan
from rosetta.report.exports import to_csv

FAKE = Path(__file__).parent / "frameworks" / "fake"
NETWORK = """import numpy as np


class Net:
    scale = 1

    def __init__(self):
        draw = np.random.default_rng(1)
        self.weight = draw.normal(size=(3, 5)).astype(np.float32)
        self.bias = draw.normal(size=3).astype(np.float32)

    def __call__(self, x):
        return (x @ self.weight.T + self.bias) * x.dtype.type(self.scale)


make_network = Net
"""
TRAINING = """

def loss(outputs, targets):
    back = (outputs - targets) / outputs.size
    return float((back * (outputs - targets)).sum()) / 2, back


def make_optimizer(network):
    def step(gradients):
        for name, gradient in gradients.items():
            setattr(network, name, getattr(network, name) - np.float32(0.01) * gradient)

    return step
"""
MANIFEST = """title = "One layer"
networks = ["fake", "other"]
batch = 4
parameters = 18

[[inputs]]
shape = [5]

[[targets]]
shape = [3]
floats = [0.0, 1.0]
"""
TORCH = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.drop = nn.Dropout(0.2)
        self.out = nn.Linear(144, 5)

    def forward(self, x):
        return self.out(self.drop(torch.relu(self.conv(x)).flatten(1)))


make_network = Net
loss = nn.CrossEntropyLoss()


def make_optimizer(network):
    return torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
"""
JAX = """import jax
import optax
from flax import nnx


class Net(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.drop = nnx.Dropout(0.2, rngs=rngs)
        self.out = nnx.Linear(144, 5, rngs=rngs)

    def __call__(self, x):
        x = jax.nn.relu(self.conv(x))
        return self.out(self.drop(x.reshape(len(x), -1)))


make_network = Net


def loss(outputs, classes):
    return optax.softmax_cross_entropy_with_integer_labels(outputs, classes).mean()


def make_optimizer(network):
    return optax.sgd(0.01, momentum=0.9)
"""


class Stop(Exception):
    """Ends a run as a signal would."""


class Until(Observer):
    """Ends the run once a launch is done."""

    def event(self, event: Event) -> None:
        if event["event"] == "launch":
            raise Stop


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A user's frameworks: the fake one, and another that is like it."""
    for name in ("fake", "other"):
        folder = tmp_path / "frameworks" / name
        shutil.copytree(FAKE, folder, ignore=shutil.ignore_patterns("__pycache__"))
        manifest = folder / "framework.toml"
        manifest.write_text(manifest.read_text().replace('name = "fake"', f'name = "{name}"'))
    return tmp_path / "frameworks"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A folder with a network of one layer, the same in both frameworks, of which one imports its loss."""
    folder = tmp_path / "nets" / "layer"
    folder.mkdir(parents=True)
    (folder / "network.toml").write_text(MANIFEST)
    (folder / "fake.py").write_text(NETWORK + TRAINING)
    (folder / "other.py").write_text(NETWORK.replace("import numpy as np", "from steps import *\nimport numpy as np"))
    (folder / "steps.py").write_text("import numpy as np\n" + TRAINING)
    return folder


def plan_of(network: Path, mine: Path, **more: object) -> Plan:
    amount = {"preset": "smoke", "launches": 2, "rounds": 1, **more}
    return Plan(str(network), frameworks=mine, **amount)  # type: ignore[arg-type]


def test_a_plan_holds_what_its_result_needs(network: Path, mine: Path, tmp_path: Path) -> None:
    plan = plan_of(network, mine)
    assert plan.workloads == ["layer"] and plan.contenders == ["fake", "other"]
    plan.write(tmp_path / "plan.json")
    shutil.rmtree(network)
    read = read_plan(tmp_path / "plan.json")
    raced = read.own["layer"]
    assert (raced.standard, raced.sides, raced.trains, raced.data) == ("fake", ["fake", "other"], True, "random")
    workload = read.workload("layer")
    assert workload.trains and not workload.tests and workload.batch_size == 4 and workload.title == "One layer"
    assert str(network) in read.command


def test_what_cant_be_raced_is_refused(network: Path, mine: Path, tmp_path: Path) -> None:
    with pytest.raises(RosettaError, match=r"names torch\.py, which isn't there"):
        plan_of(network, mine, contenders=["torch"])
    with pytest.raises(RosettaError, match="no published protocol"):
        plan_of(network, mine, preset="full", launches=1, rounds=None)
    both = Plan(["layer", "mnist_mlp"], ["fake", "numpy"], frameworks=mine, workload_folders=network.parent)
    assert both.own["layer"].sides == ["fake"] and "numpy" in both.own["layer"].without["numpy"]
    with pytest.raises(RosettaError, match="is no folder"):
        Plan("layer", frameworks=mine, workload_folders=tmp_path / "nothing")
    network.rename(network.parent / "mnist_mlp")
    with pytest.raises(RosettaError, match="has a workload mnist_mlp already"):
        Plan("mnist_mlp", frameworks=mine, workload_folders=network.parent)


def test_samples_are_whole_batches_that_belong_together(network: Path) -> None:
    made = make_samples(read_folder(network), 1)
    assert made.inputs[0].shape == (256, 5) and made.targets[0].shape == (256, 3)
    assert made.order.tolist() == list(range(256))
    text = (network / "network.toml").read_text()
    for name, shape in (("x.npy", "[5]"), ("y.npy", "[3]\nfloats = [0.0, 1.0]")):
        text = text.replace(f"shape = {shape}", f'shape = {shape[:3]}\ndata = "{name}"')
    (network / "network.toml").write_text(text)
    np.save(network / "x.npy", np.arange(50.0).reshape(10, 5))
    np.save(network / "y.npy", np.arange(30.0).reshape(10, 3))
    made = make_samples(read_folder(network), 1)
    assert made.inputs[0].shape == (8, 5), "the last two make no batch"
    assert sorted(made.order[:8].tolist()) == list(range(8)) != made.order[:8].tolist()
    np.save(network / "y.npy", np.arange(27.0).reshape(9, 3))
    with pytest.raises(RosettaError, match="different numbers of samples"):
        make_samples(read_folder(network), 1)


def test_a_race_is_recorded_and_goes_on(network: Path, mine: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(Stop):
        rosetta.run(plan_of(network, mine), folder=folder, observer=Until())
    text = (network / "steps.py").read_text()
    (network / "steps.py").write_text(text.replace("0.01", "0.02"))
    with pytest.raises(RosettaError, match=r"has changed since: fake on layer: implementation"):
        rosetta.run(resume=folder)
    (network / "steps.py").write_text(text)

    result = rosetta.run(resume=folder)
    (workload,) = result.results
    assert workload.standard == "fake" and workload.trained and not workload.tested and workload.data == "random"
    assert [c.name for c in workload.contenders] == ["fake", "other"]
    for contender in workload.contenders:
        assert contender.status == "ok", contender.reason
        assert [(c.launch, c.round) for c in contender.chunks] == [(0, 0), (1, 0)]
        assert contender.ratio is not None and contender.loss is not None and contender.accuracy is None
        assert contender.equivalence is not None and contender.equivalence.passed
        timed = [c.detail for c in contender.equivalence.further if c.name == "timed outputs"]
        assert sorted(timed) == ["after the last round", "before the first round"]
    losses = [contender.chunks[0].loss for contender in workload.contenders]
    assert losses[0] is not None and losses[0] < 3, "they train"
    rows = list(csv.DictReader(to_csv(result).splitlines()))
    assert [row["workload"] for row in rows] == ["layer", "layer"] and rows[0]["proof_passed"] == "True"
    page = (folder / "report.html").read_text()
    assert "make_network" in page and "steps.py" in page and "test accuracy" not in page

    shutil.rmtree(network)
    assert read_run(folder)[2].results[0].title == "One layer", "the result needs nothing of the folder"
    rosetta.add_to_history([folder], tmp_path / "h.duckdb")
    course = read_points("layer", history=tmp_path / "h.duckdb")
    assert (course.title, [point.line for point in course.points]) == ("layer", ["fake", "other"])


def test_who_isnt_the_same_isnt_timed_and_prediction_is_raced(network: Path, mine: Path, tmp_path: Path) -> None:
    (network / "network.toml").write_text(MANIFEST.partition("[[targets]]")[0])
    (network / "fake.py").write_text(NETWORK)
    (network / "other.py").write_text(NETWORK.replace("scale = 1", "scale = 1.01"))
    result = rosetta.run(plan_of(network, mine, launches=1), folder=tmp_path / "run")
    same, other = result.results[0].contenders
    assert same.status == "ok" and same.samples_per_second and not result.results[0].trained
    assert other.status == "not_equivalent" and "not the same network" in other.reason and not other.chunks
    assert "Prediction only" in str(result)
    timed = {e["label"] for e in read_events(tmp_path / "run" / "events.jsonl") if e["event"] == "chunk"}
    assert timed == {"fake"}


def test_what_is_timed_is_what_was_proven(network: Path, mine: Path, tmp_path: Path) -> None:
    """A network that is another one where it is timed is found out there."""
    trainer = mine / "other" / "own_trainer.py"
    text = trainer.read_text()
    trainer.write_text(
        text.replace("self.training = training", "self.network.scale = 2\n        self.training = training")
    )
    result = rosetta.run(plan_of(network, mine, launches=1), folder=tmp_path / "run")
    same, other = result.results[0].contenders
    assert same.status == "ok" and other.status == "not_equivalent" and "timed outputs" in other.reason


def test_code_that_fails_is_told_and_the_others_go_on(network: Path, mine: Path, tmp_path: Path) -> None:
    (network / "other.py").write_text(NETWORK)
    result = rosetta.run(plan_of(network, mine, launches=1), folder=tmp_path / "run")
    same, other = result.results[0].contenders
    assert same.status == "ok" and same.chunks
    assert other.status == "failed" and "other.py has no function loss" in other.reason


@pytest.mark.long
def test_pytorch_and_jax_are_raced(tmp_path: Path) -> None:
    """The path in real environments: images, whose channels each side wants elsewhere; a step of each one's own."""
    folder = tmp_path / "mynet"
    folder.mkdir()
    (folder / "network.toml").write_text(
        'title = "A small one"\nnetworks = ["torch", "jax"]\nbatch = 8\n[[inputs]]\nshape = [3, 6, 6]\n'
        "[[targets]]\nintegers = [0, 5]\n"
    )
    (folder / "torch.py").write_text(TORCH)
    (folder / "jax.py").write_text(JAX)
    plan = Plan(str(folder), preset="smoke", launches=1, rounds=1, device="cpu")
    (workload,) = rosetta.run(plan, folder=tmp_path / "run").results
    for contender in workload.contenders:
        assert contender.status == "ok", contender.reason
        assert contender.chunks and contender.loss is not None
        assert contender.equivalence is not None and contender.equivalence.update is not None
        assert contender.equivalence.update.holds and not contender.equivalence.unproven
    # Both begin with the same parameters and see the same samples.
    events = [e for e in read_events(tmp_path / "run" / "events.jsonl") if e["event"] == "timed_proof"]
    assert len(events) == 4 and all(e["checks"] for e in events)
