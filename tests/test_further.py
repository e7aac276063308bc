"""What ten plain steps don't show is caught by a step far out, and what float64 steps don't show in float32."""

import ast
from collections.abc import Iterator

import numpy as np
import pytest
from proof_bench import Bench, Fault, open_bench

from rosetta.contenders.manifest import Tolerances, frameworks
from rosetta.proof.further.late import LateState, _stood_still
from rosetta.proof.further.precision import TimedPrecision
from rosetta.proof.further.stress import SATURATING, SGD_STRESS, STRESS, homogeneous, saturating
from rosetta.record.result import Check, Equivalence
from rosetta.workloads import find_workload

MLP, CNN, KERAS, TPU = "mnist_mlp.py", "cifar10_cnn.py", "cifar10_keras_cnn.py", "cifar10_tpu_cnn.py"
GRU, HRNN = "imdb_gru.py", "mnist_hrnn.py"


def late_fault(name: str, file: str, old: str, new: str) -> Fault:
    """Make a fault that the late state must catch, and no other check before it did."""
    return Fault(name, file, old, new, "late state")


def clipped(file: str, norm: int) -> Fault:
    clip = f"nn.utils.clip_grad_norm_(model.parameters(), {norm})"
    return late_fault(
        f"clipped-at-{norm}", file, "        optimizer.step()", f"        {clip}\n        optimizer.step()"
    )


DECAYING = """
class Decaying(torch.optim.RMSprop):
    def step(self):
        first = self.param_groups[0]["params"][0]
        done = float(self.state[first]["step"]) if first in self.state else 0.0
        self.param_groups[0]["lr"] = 0.001 / (1 + 1e-6 * done)
        super().step()


def make_optimizer(model):"""

CLIPPED_GRU = """class ClippedGRU(nn.GRU):
    def forward(self, x):
        h = x.new_zeros(len(x), self.hidden_size)
        for step in x.unbind(1):
            r, z, n = nn.functional.linear(step, self.weight_ih_l0, self.bias_ih_l0).clamp(-3, 3).chunk(3, 1)
            cr, cz, cn = nn.functional.linear(h, self.weight_hh_l0, self.bias_hh_l0).chunk(3, 1)
            z = torch.sigmoid(z + cz)
            h = (1 - z) * torch.tanh(n + torch.sigmoid(r + cr) * cn) + z * h
        return None, h[None]


class Network"""

CLIPPED_LSTM = """class ClippedLSTM(nn.LSTM):
    def forward(self, x):
        h = c = x.new_zeros(len(x), self.hidden_size)
        for step in x.unbind(1):
            given = nn.functional.linear(step, self.weight_ih_l0, self.bias_ih_l0)
            i, f, g, o = (given + h @ self.weight_hh_l0.T).chunk(4, 1)
            c = (torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)).clamp(-3, 3)
            h = torch.sigmoid(o) * torch.tanh(c)
        return None, (h[None], c[None])


class Network"""

STEPPED_ON_THE_SPOT = """        done = scheduler.last_epoch
        scheduler.step()
        scheduler.last_epoch = done
"""

ANOTHER_EPSILON = """class Norm(nn.BatchNorm2d):
    def forward(self, x):
        self.eps = 1e-5 if self.training and x.dtype == torch.float32 else 1e-3
        return super().forward(x)


class Network(nn.Module):"""

MEAN_OF_THE_FIRST = """class Norm(nn.BatchNorm2d):
    def forward(self, x):
        if self.training and x.dtype == torch.float32:
            F.batch_norm(x[: len(x) // 2], self.running_mean, self.running_var, training=True, momentum=0.01)
            return F.batch_norm(x, None, None, self.weight, self.bias, True, 0.01, self.eps)
        return super().forward(x)


class Network(nn.Module):"""

MLP_FAULTS = [
    clipped(MLP, 5),
    clipped(MLP, 100),
    late_fault("rate-decays", MLP, "def make_optimizer(model):", DECAYING),
]
GRU_FAULTS = [
    late_fault("beta-2", GRU, "0.999)", "0.9999)"),
    late_fault("weight-decay", GRU, "optim.Adam(", "optim.AdamW("),
    clipped(GRU, 5),
    clipped(GRU, 100),
    late_fault("gru-clipped", GRU, "class Network", CLIPPED_GRU),
]
HRNN_FAULTS = [clipped(HRNN, 5), clipped(HRNN, 100), late_fault("lstm-clipped", HRNN, "class Network", CLIPPED_LSTM)]
KERAS_FAULTS = [
    late_fault("rate-does-not-decay", KERAS, "1 / (1 + 1e-6 * step)", "1.0"),
    late_fault("schedule-not-stepped", KERAS, "        scheduler.step()\n", ""),
    Fault("steps-not-counted", KERAS, "        scheduler.step()\n", STEPPED_ON_THE_SPOT, "late count"),
    clipped(KERAS, 5),
    clipped(KERAS, 100),
]
CNN_FAULTS = [clipped(CNN, 5), clipped(CNN, 100)]
TPU_FAULTS = [
    late_fault("weight-decay", TPU, "optim.Adam(", "optim.AdamW("),
    late_fault("beta-2", TPU, "0.999)", "0.9999)"),
    clipped(TPU, 100),
    Fault("epsilon-in-float32", TPU, "class Network(nn.Module):", ANOTHER_EPSILON, "timed precision"),
    Fault("statistics-of-half-in-float32", TPU, "class Network(nn.Module):", MEAN_OF_THE_FIRST, "timed precision"),
    Fault(
        "batches-reversed-in-float32",
        TPU,
        "in batches:",
        "in (batches[::-1] if batches[0][0].dtype == torch.float32 else batches):",
        "timed precision",
    ),
]
THE_NEW = {  # where the new class stands in for the old one
    "gru-clipped": ("nn.GRU(125", "ClippedGRU(125"),
    "lstm-clipped": ("= nn.LSTM(", "= ClippedLSTM("),
    "rate-decays": ("return torch.optim.RMSprop(", "return Decaying("),
    "epsilon-in-float32": ("= nn.BatchNorm2d(", "= Norm("),
    "statistics-of-half-in-float32": ("= nn.BatchNorm2d(", "= Norm("),
}


@pytest.fixture(scope="module", params=["mnist_mlp"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with open_bench(request.param, None) as bench:
        yield bench


def prove_with(bench: Bench, fault: Fault) -> Equivalence:
    folder = bench.copy_torch(f"{bench.prepared.workload.name}-{fault.name}")
    text = (folder / fault.file).read_text("utf-8")
    for old, new in ((fault.old, fault.new), THE_NEW.get(fault.name, ("", ""))):
        assert old in text, "the text to replace isn't there any more"
        text = text.replace(old, new) if old else text
    (folder / fault.file).write_text(text, "utf-8")
    return bench.prove(folder)


def broken(proof: Equivalence) -> set[str]:
    """Name the checks that fail, the further and the others."""
    plain = {"logits": proof.logits, "loss": proof.loss, "gradients": proof.gradients, "update": proof.update}
    found = {name for name, check in plain.items() if check.error is None or check.error > check.tolerance}
    return found | {check.name for check in proof.further if check.error is None or check.error > check.tolerance}


def late(proof: Equivalence) -> list[Check]:
    return [check for check in proof.further if check.name in (LateState.name, TimedPrecision.name)]


FAULTS = {
    "mnist_mlp": MLP_FAULTS,
    "imdb_gru": GRU_FAULTS,
    "mnist_hrnn": HRNN_FAULTS,
    "cifar10_keras_cnn": KERAS_FAULTS,
    "cifar10_cnn": CNN_FAULTS,
    "cifar10_tpu_cnn": TPU_FAULTS,
}


@pytest.mark.parametrize(
    ("bench", "fault"),
    [
        pytest.param(name, fault, id=f"{name}-{fault.name}", marks=() if name == "mnist_mlp" else pytest.mark.long)
        for name, faults in FAULTS.items()
        for fault in faults
    ],
    indirect=["bench"],
)
def test_a_fault_that_ten_steps_do_not_show_is_caught(bench: Bench, fault: Fault) -> None:
    proof = prove_with(bench, fault)
    print(fault.name, proof.update.error, [(c.error, c.tolerance, c.detail) for c in late(proof)])
    assert not proof.passed
    assert fault.caught_by in broken(proof)


@pytest.mark.parametrize(
    "bench",
    [pytest.param(name, marks=() if name == "mnist_mlp" else pytest.mark.long) for name in FAULTS],
    indirect=True,
)
def test_the_correct_network_passes_with_a_factor_3_to_spare(bench: Bench) -> None:
    checks = late(bench.prove(bench.copy_torch(f"{bench.prepared.workload.name}-correct")))
    print([(c.error, c.tolerance, c.detail) for c in checks])
    assert checks
    for check in checks:
        assert check.error is not None and check.error <= check.tolerance / 3, check


# Without a worker


def test_every_framework_can_be_told_how_many_steps_are_done() -> None:
    """A framework that can't isn't held to the late state."""
    for framework in frameworks().values():
        classes = [
            node
            for file in framework.folder.glob("*trainer.py")
            for node in ast.parse(file.read_text("utf-8")).body
            if isinstance(node, ast.ClassDef)
        ]
        methods = [{part.name for part in node.body if isinstance(part, ast.FunctionDef)} for node in classes]
        for names in methods:
            if "optimizer_state" in names:
                assert "set_steps_done" in names, framework.name
        assert any("set_steps_done" in names for names in methods), framework.name


def observed(**changed: float) -> dict[str, np.ndarray]:
    values = {"change": 1.0, "rounding": 0.0, "still": 0.0} | changed
    return {
        "change/weight": np.full(4, values["change"]),
        "rounding/weight": np.asarray(values["rounding"]),
        "counts that stood still": np.asarray(values["still"]),
    }


@pytest.mark.parametrize(
    ("found", "error"),
    [
        (observed(), 0.0),
        (observed(change=1.01), 0.01),
        (observed(change=1.01, rounding=0.004), 0.008),  # ‖difference‖ is 0.02, ‖expected‖ is 2
        (observed(change=1.01, rounding=0.03), 0.0),
        (observed(change=np.nan, rounding=9.0), None),
    ],
)
def test_a_change_may_be_off_by_what_its_parameter_cannot_hold(found: dict[str, np.ndarray], error: float) -> None:
    check, count = LateState().compare(found, observed(), find_workload("mnist_mlp"), Tolerances())
    assert check.error == (None if error is None else pytest.approx(error))
    assert check.tolerance == Tolerances().update and check.detail == "weight"
    assert count.holds


def test_a_count_that_stands_still_fails() -> None:
    check, count = LateState().compare(observed(still=1.0), observed(), find_workload("mnist_mlp"), Tolerances())
    assert check.holds and not count.holds


def test_a_count_is_what_held_the_number_of_steps_and_must_go_on() -> None:
    """Neither a count of another kind nor a rate that stays as it is counts."""
    told = {"steps": np.full(3, 999.0, np.float32), "last": np.array(998), "rate": np.ones(2)}
    assert _stood_still(told, told, 999) == 1
    assert _stood_still(told, told | {"steps": told["steps"] + 1}, 999) == 0
    assert _stood_still({"steps": np.zeros(0)}, {}, 999) == 0


def test_a_folder_without_the_method_is_not_held_to_it() -> None:
    assert LateState().compare({}, observed(), find_workload("mnist_mlp"), Tolerances()) == []


@pytest.mark.parametrize(
    ("name", "first", "last", "unchanged"),
    [
        ("cifar10_cnn", "conv1.weight", "dense2.weight", "conv2.weight"),
        ("cifar10_tpu_cnn", "conv3.weight", "dense2.weight", "conv1.weight"),
        ("mnist_mlp", "dense1.weight", "dense3.weight", "dense3.bias"),
        ("cifar10_own_activation", "conv1.weight", "dense.weight", "act1.scale"),
    ],
)
def test_a_chain_is_stressed_without_changing_its_outputs(name: str, first: str, last: str, unchanged: str) -> None:
    workload = find_workload(name)
    factors = homogeneous(workload)
    assert (factors[first], factors[last]) == (STRESS, 1 / STRESS)
    assert unchanged not in factors
    assert not saturating(workload, workload.initial_parameters(1))
    slopes = [p.name for p in workload.parameters if p.kind == "activation_slope"]
    assert all(factors[slope] == 1 / STRESS for slope in slopes)


@pytest.mark.parametrize("name", ["imdb_gru", "mnist_hrnn", "babi_rnn", "mnist_own_cell"])
def test_a_recurrent_network_is_brought_to_saturate(name: str) -> None:
    workload = find_workload(name)
    assert not homogeneous(workload)
    canonical = workload.initial_parameters(1)
    factors = saturating(workload, canonical)
    assert not any("recurrent" in parameter for parameter in factors)
    assert factors["dense.weight"] == (SGD_STRESS if name == "mnist_own_cell" else STRESS)
    for parameter, factor in factors.items():
        value = canonical[parameter] * factor
        if parameter.endswith("input_weight"):
            assert np.sqrt(np.mean(np.sum(value.astype(float) ** 2, axis=1))) == pytest.approx(SATURATING, rel=0.42)
        elif "embedding" in parameter:
            assert np.std(value) == pytest.approx(1.0, rel=0.42)


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"loss": 2.0003}, "training loss"),
        ({"loss apart": 2.0003}, "training loss at random parameters"),
        ({"second loss": 2.1}, "mean loss of two steps in one call"),
        ({"norm1.running_mean": 2.01}, "norm1.running_mean"),
        ({"norm1.running_mean": np.nan}, "norm1.running_mean"),
    ],
)
def test_losses_and_statistics_of_the_timed_precision_are_held(changed: dict[str, float], detail: str) -> None:
    expected = dict.fromkeys(("loss", "second loss", "loss apart"), 2.0)
    expected |= {f"norm{i}.running_{what}": 1.0 + i for i in (1, 2) for what in ("mean", "variance")}
    found = {name: np.asarray(value) for name, value in (expected | changed).items()}
    wanted = {name: np.asarray(value) for name, value in expected.items()}
    checks = TimedPrecision().compare(found, wanted, find_workload("cifar10_tpu_cnn"), Tolerances())
    failing = [check for check in checks if check.error is None or check.error > check.tolerance]
    assert [check.detail for check in failing] == [detail]
