"""What dropout multiplies the units that it keeps with is counted, and a wrong scale caught in every layer."""

import math
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from dropout_bench import CUT_OFF, NAIVE, Fault, Watched, prepared_workload
from proof_bench import SEED, start_worker

from rosetta.contenders.contender import Contender
from rosetta.contenders.manifest import Tolerances, frameworks
from rosetta.environments.build import build
from rosetta.proof.further.counting import Counting, countings
from rosetta.proof.further.scales import Scales, steps_for
from rosetta.proof.observer import Observer
from rosetta.record.result import Check
from rosetta.workloads import find_workload
from rosetta.workloads.layers import FLATTEN, GLOBAL_AVERAGE_POOL, RELU, Conv2d, Dense, MaxPool2d, dropout
from rosetta.workloads.spec import Input, Optimizer, Workload

MLP, CNN, TPU, RNN = "mnist_mlp", "cifar10_cnn", "cifar10_tpu_cnn", "babi_rnn"
COUNTED = {
    MLP: [("before dense2", 512, 0.64), ("before dense3", 512, 0.8)],
    "mnist_cnn": [("before dense1", 128, 0.375), ("before dense2", 128, 0.5)],
    CNN: [
        ("before conv3", 512, (1 - 0.25**4) * 0.375),
        ("before dense1", 512, 0.375),
        ("before dense2", 512, 0.5),
    ],
    "cifar10_keras_cnn": [
        ("before conv3", 512, (1 - 0.25**4) * 0.375),
        ("before dense1", 512, 0.375),
        ("before dense2", 512, 0.5),
    ],
    TPU: [("before norm2", 32 * 16 * 16, 0.75), ("before dense1", 512, 0.375), ("before dense2", 512, 0.5)],
    RNN: [("after story_embedding", 50, 0.49), ("after question_embedding", 50, 0.49), ("before dense", 50, 0.7)],
}
EACH = pytest.mark.parametrize("name", COUNTED)


@EACH
def test_every_dropout_counts(name: str) -> None:
    found = countings(find_workload(name))
    assert [(one.name, one.units) for one in found] == [(f"dropout {what}", units) for what, units, _ in COUNTED[name]]
    for one, (_, _, probability) in zip(found, COUNTED[name], strict=True):
        assert one.probability == pytest.approx(probability)
        assert {key: value.shape for key, value in one.parameters.items()} == {
            parameter.name: parameter.shape for parameter in find_workload(name).parameters
        }


@EACH
def test_each_takes_a_few_steps(name: str) -> None:
    workload = find_workload(name)
    found = countings(workload)
    steps = [steps_for(one, len(found), workload) for one in found]
    assert all(1 <= count <= 3 for count in steps), steps


def test_a_loss_tells_how_many_arrived() -> None:
    one = Counting("dropout", {}, units=100, probability=0.5, value=0.1, classes=10)
    for arrived in (10.0, 50.0, 99.5):
        gap = 0.1 * arrived
        assert one.arrived(math.log(9 + math.exp(-gap)) + gap) == pytest.approx(arrived, rel=1e-9)
    assert math.isnan(one.arrived(math.nan)) and math.isnan(one.arrived(math.inf))
    assert one.arrived(0.1) < 0  # less than no gap at all


@pytest.mark.parametrize(
    "behind",
    [
        (GLOBAL_AVERAGE_POOL,),
        (MaxPool2d(3, stride=2), FLATTEN, Dense("dense", 4 * 3 * 3, 4)),  # one pixel is in several windows
    ],
)
def test_what_does_not_pass_units_on_one_to_one_is_not_counted(behind: tuple) -> None:
    workload = Workload(
        name="",
        title="",
        source="",
        dataset="",
        inputs=(Input("image", (3, 8, 8)),),
        layers=(Conv2d("conv", 3, 4, 3, "same"), RELU, dropout(0.5), *behind, Dense("last", 4, 10)),
        optimizer=Optimizer("SGD", "", {}),
        batch_size=32,
        epochs=1,
        compared_after=1,
        reached="",
    )
    assert countings(workload) == []


def compared(name: str, scales: list[float], random: np.random.Generator) -> Check:
    """Compare what a network would show whose dropouts' scales are wrong by these factors, each seen by itself."""
    workload = find_workload(name)
    found = {}
    for one, scale in zip(countings(workload), scales, strict=True):
        size = (steps_for(one, len(scales), workload), workload.batch_size)
        found[one.name] = scale * random.binomial(one.units, one.probability, size).mean(axis=1)
    (check,) = Scales().compare(found, {}, workload, Tolerances())
    return check


@EACH
def test_chance_alone_fails_nobody(name: str) -> None:
    random = np.random.default_rng(SEED)
    right = [1.0] * len(COUNTED[name])
    worst = max(compared(name, right, random).error for _ in range(300))
    print(name, worst)
    assert worst < 12  # 2·exp(−12) · 3 tests · 300: once in 90 times


@EACH
def test_a_scale_that_is_off_by_what_a_rate_makes_of_it_is_caught(name: str) -> None:
    random = np.random.default_rng(SEED)
    count = len(COUNTED[name])
    for index in range(count):
        for factor in (0.8, 1.25):
            scales = [factor if place == index else 1.0 for place in range(count)]
            check = compared(name, scales, random)
            assert not check.holds and COUNTED[name][index][0] in check.detail, check


def test_of_several_that_fail_the_one_nearest_the_output_is_named() -> None:
    check = compared(CNN, [0.375, 0.5, 0.5], np.random.default_rng(SEED))
    assert "dropout before dense2: 50" in check.detail


def test_a_loss_that_is_none_fails() -> None:
    workload = find_workload(MLP)
    found = {one.name: np.array([math.nan]) for one in countings(workload)}
    (check,) = Scales().compare(found, {}, workload, Tolerances())
    assert check.error is None and not check.holds and "nothing of what should come" in check.detail


# With a worker


UNSCALED = "super().forward(x) * (1 - self.p)"


def planted(workload: str, layer: int, name: str, custom: str, loss: str = "nn.CrossEntropyLoss()") -> Fault:
    """Make a fault in a dropout, the first is 1."""
    old, new = f"dropout{layer} = nn.Dropout(", f"dropout{layer} = Custom("
    return Fault(workload, f"{name}-{layer}", old, new, "dropout scale", custom, loss)


MLP_FAULTS = [
    *(planted(MLP, layer, "unscaled", UNSCALED) for layer in (1, 2)),
    planted(MLP, 2, "scaled-twice", "super().forward(x) / (1 - self.p)"),
    planted(MLP, 1, "scaled-as-another-rate", "super().forward(x) * (1 - self.p) / (1 - 0.25)"),
    planted(MLP, 2, "unscaled-and-cut-off", UNSCALED, CUT_OFF),
    planted(MLP, 1, "unscaled-and-naive", UNSCALED, NAIVE),
]
OTHER_FAULTS = [planted(name, layer, "unscaled", UNSCALED) for name in (CNN, TPU, RNN) for layer in (1, 2, 3)]


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    with ExitStack() as stack:
        yield Watched(Scales(), stack, Path(stack.enter_context(tempfile.TemporaryDirectory())))


@pytest.mark.parametrize(
    "fault",
    [*MLP_FAULTS, *(pytest.param(fault, marks=pytest.mark.long) for fault in OTHER_FAULTS)],
    ids=lambda fault: f"{fault.workload}-{fault.name}",
)
def test_a_wrong_scale_is_caught_and_its_layer_named(watched: Watched, fault: Fault) -> None:
    (check,) = watched.with_fault(fault).values()
    print(check)
    layer = int(fault.name.rpartition("-")[2])
    assert check.name == fault.caught_by
    assert not check.holds and f"dropout {COUNTED[fault.workload][layer - 1][0]}:" in check.detail, check


SOME = pytest.mark.parametrize(
    "name", [MLP, *(pytest.param(name, marks=pytest.mark.long) for name in COUNTED if name != MLP)]
)


@SOME
@pytest.mark.parametrize("loss", ["nn.CrossEntropyLoss()", CUT_OFF, NAIVE], ids=["plain", "cut-off", "naive"])
def test_a_right_scale_passes_with_a_factor_2_to_spare(watched: Watched, name: str, loss: str) -> None:
    folder = {"nn.CrossEntropyLoss()": "plain", CUT_OFF: "cut-off", NAIVE: "naive"}[loss]
    (check,) = watched.with_fault(Fault(name, folder, "nn.Dropout(", "nn.Dropout(", "", loss=loss)).values()
    print(check)
    assert check.error is not None and 2 * check.error < check.tolerance, check


@SOME
def test_the_reference_drops_and_scales_so(name: str, tmp_path: Path) -> None:
    prepared = prepared_workload(name, tmp_path)
    numpy = Contender(frameworks()["numpy"])
    client = start_worker(numpy, build(numpy), tmp_path)
    try:
        client.import_framework(numpy)
        with Observer(client, prepared) as observer:
            observer.open(dropout=True)
            found = Scales().observe(observer)
    finally:
        client.worker.close()
    (check,) = Scales().compare(found, {}, prepared.workload, Tolerances())
    print(check)
    assert check.error is not None and 2 * check.error < check.tolerance, check
