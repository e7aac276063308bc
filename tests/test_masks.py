"""Dropout's masks are seen, and faults in them caught that mean distances don't show."""

import math
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from dropout_bench import CUT_OFF, NAIVE, TORCH, Fault, Watched
from proof_bench import SEED, open_bench

from rosetta.proof.further import chance
from rosetta.proof.further.masks import Masks, steps_for
from rosetta.proof.further.revealing import DROPPED, KEPT, UNSEEN, make_probe, places
from rosetta.workloads import find_workload


def masked(shape: str, seed: str = "") -> str:
    """Write a dropout whose mask has this shape and, if given, always this seed."""
    generator = f", generator=torch.Generator().manual_seed({seed})" if seed else ""
    return f"x * (torch.rand({shape}{generator}) >= self.p).float() / (1 - self.p)"


PAIRS = "x * (torch.rand(len(x), x.shape[1] // 2) >= self.p).float().repeat_interleave(2, 1) / (1 - self.p)"
GAUSSIAN = "x * (1 + (self.p / (1 - self.p)) ** 0.5 * torch.randn(x.shape))"
ONE, TWO = ("dropout1 = nn.Dropout(", "dropout1 = Custom("), ("dropout2 = nn.Dropout(", "dropout2 = Custom(")
MLP, CNN, RNN = "mnist_mlp", "cifar10_cnn", "babi_rnn"

CHANNELS = ("dropout1 = nn.Dropout(", "dropout1 = nn.Dropout2d(")

MLP_FAULTS = [
    Fault(MLP, "rate-five-percent-large", "dropout1 = nn.Dropout(0.2)", "dropout1 = nn.Dropout(0.21)", "rate"),
    Fault(MLP, "rate-five-percent-small", "dropout2 = nn.Dropout(0.2)", "dropout2 = nn.Dropout(0.19)", "rate"),
    Fault(MLP, "same-mask-each-step", *ONE, "steps", masked("x.shape", "7")),
    Fault(
        MLP, "one-key-for-two-layers", "= nn.Dropout(", "= Custom(", "layers", masked("x.shape", "Custom.calls // 2")
    ),
    Fault(MLP, "samples-share-a-mask", *ONE, "samples", masked("x.shape[1:]")),
    Fault(MLP, "units-share-a-mask", *TWO, "units", masked("len(x), 1")),
    Fault(MLP, "pairs-of-units-share-a-bit", *TWO, "units", PAIRS),
    Fault(MLP, "gaussian-noise", *TWO, "rate", GAUSSIAN),
    Fault(MLP, "cut-off-and-rate", "dropout1 = nn.Dropout(0.2)", "dropout1 = nn.Dropout(0.24)", "rate", loss=CUT_OFF),
    Fault(MLP, "naive-loss-and-rate", "dropout1 = nn.Dropout(0.2)", "dropout1 = nn.Dropout(0.24)", "rate", loss=NAIVE),
    Fault(MLP, "cut-off-and-same-mask", *ONE, "steps", masked("x.shape", "7"), CUT_OFF),
]
OTHER_FAULTS = [
    Fault(CNN, "whole-channels-before-conv", *CHANNELS, "units"),
    Fault(CNN, "whole-channels-before-dense", "dropout2 = nn.Dropout(", "dropout2 = nn.Dropout2d(", "units"),
    Fault(CNN, "gaussian-before-conv", *ONE, "rate", GAUSSIAN),
    Fault(CNN, "rate-before-conv", "dropout1 = nn.Dropout(0.25)", "dropout1 = nn.Dropout(0.2625)", "rate"),
    Fault(CNN, "rate-before-dense", "dropout2 = nn.Dropout(0.25)", "dropout2 = nn.Dropout(0.2375)", "rate"),
    Fault(CNN, "cut-off-and-channels", *CHANNELS, "units", loss=CUT_OFF),
    Fault(CNN, "same-mask-each-step", *ONE, "steps", masked("x.shape", "7")),
    Fault(RNN, "one-mask-over-time", *ONE, "units", masked("len(x), 1, x.shape[2]")),
    Fault(RNN, "samples-share-a-mask", *ONE, "samples", masked("x.shape[1:]")),
    Fault(RNN, "rate", "dropout2 = nn.Dropout(0.3)", "dropout2 = nn.Dropout(0.35)", "rate"),
]


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    with ExitStack() as stack:
        yield Watched(Masks(), stack, Path(stack.enter_context(tempfile.TemporaryDirectory())))


def assert_caught(watched: Watched, fault: Fault) -> None:
    checks = watched.with_fault(fault)
    assert not checks[f"dropout {fault.caught_by}"].holds, checks


@pytest.mark.parametrize("fault", MLP_FAULTS, ids=lambda fault: fault.name)
def test_a_fault_in_mnist_mlp_is_caught(watched: Watched, fault: Fault) -> None:
    assert_caught(watched, fault)


@pytest.mark.long
@pytest.mark.parametrize("fault", OTHER_FAULTS, ids=lambda fault: f"{fault.workload}-{fault.name}")
def test_a_fault_elsewhere_is_caught(watched: Watched, fault: Fault) -> None:
    assert_caught(watched, fault)


EACH = pytest.mark.parametrize("workload", [MLP, *(pytest.param(name, marks=pytest.mark.long) for name in (CNN, RNN))])


@EACH
def test_correct_masks_surprise_nobody(watched: Watched, workload: str) -> None:
    checks = watched.checks(workload, TORCH.folder)
    kinds = {"rate", "steps", "samples", "units"} | ({"layers"} if workload == MLP else set())
    assert {f"dropout {kind}" for kind in kinds} == set(checks)
    for check in checks.values():
        assert check.error is not None
        assert 2 * check.error < check.tolerance, check


@EACH
def test_a_loss_that_cuts_probabilities_off_shows_one_sample(watched: Watched, workload: str) -> None:
    assert_one_sample_is_seen(watched, workload, "cut-off", CUT_OFF)


def test_a_loss_that_overflows_shows_one_sample(watched: Watched) -> None:
    assert_one_sample_is_seen(watched, MLP, "naive", NAIVE)


def assert_one_sample_is_seen(watched: Watched, workload: str, name: str, loss: str) -> None:
    checks = watched.with_fault(Fault(workload, name, "nn.Dropout(", "nn.Dropout(", "", loss=loss))
    kinds = {"rate", "steps", "units"} | ({"layers"} if workload == MLP else set())
    assert {f"dropout {kind}" for kind in kinds} == set(checks)
    for check in checks.values():
        assert check.error is not None
        assert 2 * check.error < check.tolerance, check


def test_a_network_that_moves_nothing_fails(watched: Watched) -> None:
    frozen = Fault(MLP, "frozen", "optimizer.step()", "pass", "")
    checks = watched.with_fault(frozen)
    assert checks and all(check.error is None and not check.holds for check in checks.values())


@pytest.mark.parametrize("probability", [0.2, 0.25, 0.5])
@pytest.mark.parametrize("draws", [10, 200, 3000])
def test_surprise_bounds_the_exact_probability(draws: int, probability: float) -> None:
    """All counts that are at least so surprising have together the probability 2·exp(−surprise) or less."""
    log = [math.lgamma(draws + 1) - math.lgamma(k + 1) - math.lgamma(draws - k + 1) for k in range(draws + 1)]
    log = [c + k * math.log(probability) + (draws - k) * math.log(1 - probability) for k, c in enumerate(log)]
    surprises = [chance.surprise(k, draws, probability) for k in range(draws + 1)]
    for limit in (0.5, 2.0, 10.0, chance.tolerance(20)):
        beyond = sum(math.exp(c) for c, surprise in zip(log, surprises, strict=True) if surprise >= limit)
        assert beyond <= 2 * math.exp(-limit)
    assert chance.tolerance(20) == pytest.approx(math.log(2 * 20 / 1e-6))


def test_what_can_not_be_is_infinitely_surprising() -> None:
    assert chance.surprise(3, 10, 0.0) == math.inf
    assert chance.surprise(0, 0, 0.2) == 0.0


@pytest.mark.parametrize("name", [MLP, CNN, RNN, "mnist_cnn", "cifar10_keras_cnn", "cifar10_tpu_cnn"])
def test_which_dropouts_are_seen_and_in_how_many_draws(name: str) -> None:
    """Five percent too much is as many standard errors as are tolerated, and 2.3 more, wherever the steps suffice."""
    workload = find_workload(name)
    seen = [(place.name.removeprefix("dropout "), place.rate) for place in places(workload)]
    assert (
        seen
        == {
            MLP: [("before dense2", 0.2), ("before dense3", 0.2)],
            CNN: [("before conv3", 0.25), ("before dense1", 0.25), ("before dense2", 0.5)],
            RNN: [("after story_embedding", 0.3), ("after question_embedding", 0.3), ("before dense", 0.3)],
            "mnist_cnn": [("before dense1", 0.25), ("before dense2", 0.5)],
            "cifar10_keras_cnn": [("before conv3", 0.25), ("before dense1", 0.25), ("before dense2", 0.5)],
            "cifar10_tpu_cnn": [("before dense1", 0.25), ("before dense2", 0.5)],  # a normalisation follows the first
        }[name]
    )
    probe = make_probe(workload, workload.initial_parameters(SEED), SEED)
    steps = steps_for(probe, workload)
    assert steps % 2 == 0 and 2 <= steps <= 24
    for place in probe.places if name == MLP else ():
        draws = steps * probe.masks(place, np.zeros(probe.parameters[place.weight].shape)).size
        assert chance.surprise(round(1.05 * place.rate * draws), draws, place.rate) > chance.tolerance(10) + 6


@pytest.mark.parametrize("left_over", [0.0, 1e-20])
def test_a_column_that_is_as_good_as_zero_was_dropped(left_over: float) -> None:
    """Also where a softmax makes no probability exactly 0; of a sample that moves nothing, nothing is seen."""
    workload = find_workload(MLP)
    probe = make_probe(workload, workload.initial_parameters(SEED), SEED)
    place = probe.places[1]
    change = np.full((10, 512), left_over)
    change[1:9, ::3] = 1e-3  # of class 9, the ninth sample's, nothing
    masks = probe.masks(place, change)
    assert masks.shape == (9, 512)
    assert np.all(masks[:8, ::3] == KEPT) and np.all(masks[8] == UNSEEN)
    assert np.all(masks[:8, 1::3] == DROPPED) and np.all(masks[:8, 2::3] == DROPPED)


def test_the_proof_fails_where_masks_do(tmp_path: Path) -> None:
    with open_bench("mnist_mlp", None) as bench:
        copy = bench.copy_torch("rate-wrong")
        file = copy / "mnist_mlp.py"
        file.write_text(file.read_text("utf-8").replace("nn.Dropout(0.2)", "nn.Dropout(0.21)"), "utf-8")
        proof = bench.prove(copy)
        right = bench.prove(bench.copy_torch("rate-right"))
    assert right.passed
    assert not proof.passed
    assert "dropout rate" in [check.name for check in proof.further if not check.holds]
