"""The reference's interpreter of declared layers: held against the references by hand, and a network that has none.

The checks themselves are in ``interpreter_checks.py``; they run in the reference's environment, which has autograd.
"""

import dataclasses
import inspect
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from proof_bench import start_worker

import rosetta_worker
from rosetta import contenders, datasets
from rosetta.contenders.contender import Contender
from rosetta.contenders.manifest import Tolerances, frameworks
from rosetta.environments.build import build
from rosetta.environments.client import Client
from rosetta.errors import RosettaError
from rosetta.models.train import train
from rosetta.paths import cache_folder
from rosetta.proof.compare import compare
from rosetta.proof.observe import observe
from rosetta.proof.reference import reference
from rosetta.standalone.script import script
from rosetta.workloads import find_workload, layers, transformer_layers, workloads
from rosetta.workloads.description import describe
from rosetta.workloads.initialisers import uniform
from rosetta.workloads.layers import (
    FLATTEN,
    GELU,
    GLOBAL_AVERAGE_POOL,
    RELU,
    BatchNorm2d,
    Conv2d,
    Dense,
    Embedding,
    Gru,
    Lstm,
    MaxPool2d,
    MinimalGatedUnit,
    OwnActivation,
    Repeat,
    Reshape,
    Sum,
    TimeDistributed,
    dropout,
)
from rosetta.workloads.prepared import prepare_workload
from rosetta.workloads.spec import Input
from rosetta.workloads.transformer_layers import (
    CausalSelfAttention,
    LayerNorm,
    Linear,
    PositionEmbedding,
    TiedLinear,
)
from rosetta_worker.trainer import implementation_of

SCRIPT = Path(__file__).with_name("interpreter_checks.py")
CHECKS = re.findall(r"^def (check_\w+)", SCRIPT.read_text("utf-8"), re.MULTILINE)
NUMPY = Contender(frameworks()["numpy"])
KNOWN = {**workloads(), "babi_rnn[qa1]": find_workload("babi_rnn[qa1]")}
BY_HAND = [name for name, workload in KNOWN.items() if NUMPY.implementation(workload.module).exists()]
ELEMENTWISE = {"relu", "gelu", "dropout", "flatten", "global_average_pool"}

OWN = dataclasses.replace(
    find_workload("cifar10_cnn"),
    name="own_network",
    inputs=(Input("frames", (3, 2, 9, 9)), Input("words", (4,), "tokens")),
    layers=(
        Sum(
            (
                (
                    TimeDistributed(
                        (
                            Conv2d("conv", 2, 3, 3, "same", stride=2, bias=False),
                            BatchNorm2d("norm", 3, epsilon=1e-4, momentum=0.8),
                            OwnActivation("act", 3),
                            Sum(((Conv2d("main", 3, 3, 1, "valid"), dropout(0.4)), ())),
                            RELU,
                            MaxPool2d(3, stride=2, padding=1),
                            Conv2d("wide", 3, 4, 2, 1),
                            GLOBAL_AVERAGE_POOL,
                            Dense("each", 4, 6),
                        )
                    ),
                    Reshape((6, 3)),
                    Gru("gru", 3, 5),
                ),
                (
                    Embedding("table", 7, 4, uniform(-1, 1)),
                    PositionEmbedding("places", 4, 4, uniform(-1, 1)),
                    LayerNorm("steady", 4, epsilon=1e-3),
                    Linear("qkv", 4, 12, uniform(-1, 1)),
                    CausalSelfAttention(4, heads=2),
                    TiedLinear("table", 4, 7),
                    GELU,
                    MinimalGatedUnit("cell", 7, 5),
                ),
            )
        ),
        Repeat(2),
        Lstm("lstm", 5, 4),
        Reshape((2, 1, 2)),
        FLATTEN,
        Dense("dense", 4, 3),
    ),
    held_out=0.0,
)
"""A network with every kind of layer, of which no file tells but this."""

SMALL = dataclasses.replace(
    find_workload("mnist_mlp"),
    name="own_digits",
    layers=(
        Dense("dense1", 784, 32),
        RELU,
        dropout(0.2),
        Dense("dense2", 32, 32),
        RELU,
        dropout(0.2),
        Dense("dense3", 32, 10),
    ),
    batch_size=32,
    samples=3_200,
)
"""A network that learns digits, likewise."""


def kinds() -> list[str]:
    """Name every kind of layer that can be declared."""
    classes = [
        value
        for module in (layers, transformer_layers)
        for _, value in inspect.getmembers(module, inspect.isclass)
        if value.__module__ == module.__name__
    ]
    own = {c.__name__ for c in classes if hasattr(c, "forward_flops")} - {"Layer", "Elementwise"}
    return sorted(own | ELEMENTWISE)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """Each check's traceback, or None where it passed."""
    described: dict[str, Any] = {
        name: workload.to_worker() | {"output_shape": workload.output_shape}
        for name, workload in {**KNOWN, OWN.name: OWN}.items()
    }
    described[OWN.name]["kinds"] = kinds()
    known = tmp_path_factory.mktemp("interpreter") / "workloads.json"
    known.write_text(json.dumps(described), "utf-8")
    sources = Path(rosetta_worker.__file__).parents[1]
    command = [str(build(NUMPY).python), "-s", str(SCRIPT), str(sources), str(known)]
    done = subprocess.run(
        command,
        env=os.environ | NUMPY.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, str | None] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize("check", [*BY_HAND, *CHECKS])
def test_the_interpreter(check: str, found: dict[str, str | None]) -> None:
    assert check in found
    assert found[check] is None, found[check]


def test_there_are_checks() -> None:
    assert len(BY_HAND) >= 13 and len(CHECKS) >= 10


# What a worker is told of layers


def test_layers_are_described_with_all_their_options() -> None:
    block = Sum(((Conv2d("c", 3, 4, 3, "same", initialiser=uniform(0, 1)), dropout(0.5)), ()))
    assert describe([block, Reshape((4, 8)), MaxPool2d(3)]) == [
        {
            "kind": "Sum",
            "paths": [
                [
                    {
                        "kind": "Conv2d",
                        "name": "c",
                        "in_channels": 3,
                        "out_channels": 4,
                        "kernel": 3,
                        "padding": "same",
                        "stride": 1,
                        "bias": True,
                    },
                    {"kind": "dropout", "rate": 0.5},
                ],
                [],
            ],
        },
        {"kind": "Reshape", "shape": [4, 8]},
        {"kind": "MaxPool2d", "size": 3, "stride": None, "padding": 0},
    ]


def test_all_workloads_are_described_as_json() -> None:
    for workload in KNOWN.values():
        told = workload.to_worker()
        assert json.loads(json.dumps(told)) == told and len(told["layers"]) == len(workload.layers)
        assert (told["optimizer"] is not None) == workload.trains


def test_an_option_without_a_plain_form_is_refused() -> None:
    with pytest.raises(TypeError, match="A layer's name can't be told to a worker"):
        describe([Dense({1}, 2, 3)])  # type: ignore[arg-type]


# A network of one's own, from its declaration to what came of it


def test_a_folder_without_an_interpreter_has_no_other_networks(tmp_path: Path) -> None:
    assert NUMPY.why_not(SMALL.module) == "" and "no implementation of own_digits" in fake().why_not(SMALL.module)
    folder = tmp_path / "without_interpreter"
    folder.mkdir()
    with pytest.raises(ModuleNotFoundError, match="own_digits"):
        implementation_of(str(folder), SMALL.to_worker())


def fake() -> Contender:
    return Contender(frameworks([Path(__file__).parent / "frameworks"])["fake"])


def test_it_is_trained(data_folder: Path | None) -> None:
    weights = train(SMALL, "numpy", epochs=1, data=data_folder)
    assert {name: value.shape for name, value in weights.parameters.items()} == {
        parameter.name: parameter.shape for parameter in SMALL.parameters
    }
    assert float(weights.about["test_accuracy"]) > 0.7


def test_there_is_no_text_of_it_to_show(data_folder: Path | None) -> None:
    dataset = datasets.prepare(SMALL.dataset, data_folder, cache_folder() / "data")
    with pytest.raises(RosettaError, match="NumPy has no text of own_digits: it makes the network of the declared lay"):
        script(NUMPY, SMALL, dataset)


@pytest.fixture
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_a_contender_is_proven_against_it(data_folder: Path | None, scratch: Path) -> None:
    """The skeleton of a framework has the network under this name; with another learning rate it isn't the same."""
    folder = scratch / "mine"
    shutil.copytree(Path(contenders.__file__).parent / "skeleton", folder)
    (folder / "mnist_mlp.py").rename(folder / f"{SMALL.module}.py")
    mine = Contender(frameworks([scratch])["skeleton"])
    dataset = datasets.prepare(SMALL.dataset, data_folder, cache_folder() / "data")
    prepared = prepare_workload(SMALL, dataset, scratch, seed=1)

    def start(contender: Contender) -> Client:
        client = start_worker(contender, build(contender), scratch)
        client.import_framework(contender)
        return client

    sources = sorted(NUMPY.framework.folder.glob("*.py"))
    selected, expected = reference(lambda: start(NUMPY), prepared, sources, scratch / "reference")
    proofs = []
    text = (folder / f"{SMALL.module}.py").read_text("utf-8")
    assert "-= 0.001 * gradient" in text
    for rate in ("0.001", "0.00101"):
        changed = text.replace("-= 0.001 * gradient", f"-= {rate} * gradient")
        (folder / f"{SMALL.module}.py").write_text(changed, "utf-8")
        client = start(mine)
        try:
            proofs.append(compare(observe(client, selected), expected, selected.workload, Tolerances()))
        finally:
            client.worker.close()
    right, wrong = proofs
    assert right.passed, right
    assert not wrong.passed and 0.005 < wrong.update.error < 0.02, wrong
