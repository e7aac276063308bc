"""Faults in layers of one's own, in PyTorch: each is caught by the proof."""

from collections.abc import Iterator

import pytest
from proof_bench import Bench, Fault, open_bench
from test_proof import assert_caught, assert_passes_with_room

pytestmark = pytest.mark.long

SWISH, CELL, PARAMETERS = "cifar10_own_activation.py", "mnist_own_cell.py", "parameters.py"

SWISH_FAULTS = [
    Fault("sigmoids-derivative-forgotten", SWISH, "dy * a * (s + b * t)", "dy * a * s", "gradients"),
    Fault("input-without-scale", SWISH, "dy * a * (s + b * t)", "dy * (s + b * t)", "update"),
    Fault("input-without-slope", SWISH, "dy * a * (s + b * t)", "dy * a * (s + t)", "late state"),
    Fault("scale-without-input", SWISH, "(dy * xs)", "(dy * s)", "gradients"),
    Fault("slope-without-scale", SWISH, "(dy * a * x * t)", "(dy * x * t)", "update"),
    Fault("slope-with-the-input-once", SWISH, "(dy * a * x * t)", "(dy * a * t)", "gradients"),
    Fault("mean-for-the-sum", SWISH, "(dy * xs).sum(dim", "(dy * xs).mean(dim", "gradients"),
    Fault("slope-outside", SWISH, "return a * x * s", "return a * b * x * s", "update"),
    Fault(
        "slope-not-trained",
        SWISH,
        "self.slope = nn.Parameter(torch.ones(channels))",
        "self.register_buffer('slope', torch.ones(channels))",
        "failure",
    ),
]

CELL_FAULTS = [
    Fault(
        "gates-in-another-order",
        PARAMETERS,
        "tensor.copy_(torch.from_numpy(parameters[name]))",
        "value = torch.from_numpy(parameters[name])\n"
        "            tensor.copy_(torch.cat(value.chunk(2)[::-1]) if 'cell' in name else value)",
        "logits",
    ),
    Fault("reset-after-the-product", CELL, "F.linear(f * h, weight_c)", "f * F.linear(h, weight_c)", "logits"),
    Fault("state-not-reset", CELL, "F.linear(f * h, weight_c)", "F.linear(h, weight_c)", "logits"),
    Fault("gate-turned-round", CELL, "(1 - f) * h + f * c", "f * h + (1 - f) * c", "logits"),
    Fault("no-bias-at-all", CELL, "self.input_weight, self.bias)", "self.input_weight)", "failure"),
    Fault("rows-from-the-last", CELL, "unbind(dim=1)", "unbind(dim=1)[::-1]", "logits"),
    Fault(
        "gradient-through-the-last-steps-only",
        CELL,
        "h = (1 - f)",
        "h = h.detach()\n            h = (1 - f)",
        "gradients",
    ),
    Fault("momentum", CELL, "momentum=0.9", "momentum=0.89", "update"),
]


@pytest.fixture(scope="module")
def swish() -> Iterator[Bench]:
    with open_bench("cifar10_own_activation", None) as bench:
        yield bench


@pytest.fixture(scope="module")
def cell() -> Iterator[Bench]:
    with open_bench("mnist_own_cell", None) as bench:
        yield bench


@pytest.mark.parametrize("fault", SWISH_FAULTS, ids=lambda fault: fault.name)
def test_a_fault_in_the_activation_is_caught(swish: Bench, fault: Fault) -> None:
    assert_caught(swish, fault)


@pytest.mark.parametrize("fault", CELL_FAULTS, ids=lambda fault: fault.name)
def test_a_fault_in_the_cell_is_caught(cell: Bench, fault: Fault) -> None:
    assert_caught(cell, fault)


def test_both_pass_with_room(swish: Bench, cell: Bench) -> None:
    assert_passes_with_room(swish)
    assert_passes_with_room(cell)
