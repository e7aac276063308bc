"""The proof catches planted faults, each of them in a copy of the PyTorch implementation, and passes correct ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from proof_bench import Bench, Fault, open_bench

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.worker import WorkerFailure
from rosetta.proof.compare import compare
from rosetta.proof.observe import Observation
from rosetta.record.result import Equivalence, TensorError
from rosetta.workloads import find_workload
from rosetta.workloads.layers import Elementwise
from rosetta.workloads.spec import Workload

WORKLOAD = find_workload("mnist_mlp")


MLP, CNN, TRAINER, PARAMETERS = "mnist_mlp.py", "cifar10_cnn.py", "trainer.py", "parameters.py"

UNSCALED = """class Unscaled(nn.Dropout):
            def forward(self, x):
                return super().forward(x) * (1 - self.p if self.training else 1)

        self.dropout3 = Unscaled(0.5)"""

EPSILON_IN_ROOT = """return InsideRoot(model.parameters(), {"lr": 0.001})


class InsideRoot(torch.optim.Optimizer):
    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                square = self.state[p].setdefault("square", torch.zeros_like(p))
                square.mul_(0.9).add_(0.1 * p.grad**2)
                p.sub_(0.001 * p.grad / torch.sqrt(square + 1e-7))
"""

CLIPPED = """        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()"""

TWO_SOFTMAXES = """def loss_function(logits, labels):
    return nn.functional.cross_entropy(logits.softmax(1), labels)"""

MLP_FAULTS = [
    # The optimiser.
    Fault("epsilon-smaller", MLP, "eps=1e-7", "eps=1e-8", "update"),
    Fault("epsilon-larger", MLP, "eps=1e-7", "eps=1e-6", "update"),
    Fault(
        "epsilon-in-root",
        MLP,
        "return torch.optim.RMSprop(model.parameters(), lr=0.001, alpha=0.9, eps=1e-7)",
        EPSILON_IN_ROOT,
        "update",
    ),
    Fault(
        "epsilon-squared-in-root",
        MLP,
        "return torch.optim.RMSprop(model.parameters(), lr=0.001, alpha=0.9, eps=1e-7)",
        EPSILON_IN_ROOT.replace("1e-7", "1e-14"),
        "update",
    ),
    Fault("rho", MLP, "alpha=0.9", "alpha=0.99", "update"),
    Fault("learning-rate-1-percent", MLP, "lr=0.001", "lr=0.00101", "update"),
    Fault("weight-decay", MLP, "eps=1e-7", "eps=1e-7, weight_decay=1e-5", "update"),
    Fault("clipped-gradients", MLP, "        optimizer.step()", CLIPPED, "update"),
    Fault("gradients-not-zeroed", MLP, "optimizer.zero_grad()", "pass", "update"),
    Fault("batches-in-another-order", MLP, "in batches:", "in reversed(batches):", "update"),
    # The network.
    Fault("softmax-twice", MLP, "return self.dense3(x)", "return self.dense3(x).softmax(1)", "logits"),
    Fault("softmax-in-the-loss-too", MLP, "loss_function = nn.CrossEntropyLoss()", TWO_SOFTMAXES, "loss"),
    Fault("label-smoothing", MLP, "nn.CrossEntropyLoss()", "nn.CrossEntropyLoss(label_smoothing=0.01)", "loss"),
    Fault("loss-summed", MLP, "nn.CrossEntropyLoss()", 'nn.CrossEntropyLoss(reduction="sum")', "loss"),
    Fault("leaky-relu", MLP, "F.relu(self.dense2(x))", "F.leaky_relu(self.dense2(x))", "logits"),
    Fault("bias-missing", MLP, "nn.Linear(512, 512)", "nn.Linear(512, 512, bias=False)", "failure"),
    Fault(
        "bias-not-trained",
        MLP,
        "self.dense3(x)",
        "nn.functional.linear(x, self.dense3.weight, self.dense3.bias.detach()) + 0 * self.dense3.bias",
        "gradients",
    ),
    Fault(
        "weight-transposed",
        PARAMETERS,
        "torch.from_numpy(parameters[name])",
        'torch.from_numpy(parameters[name].T if name == "dense2.weight" else parameters[name])',
        "logits",
    ),
    # float16 has as many bits of mantissa as TF32.
    Fault("rounded-like-tf32", MLP, "self.dense2(x)", "self.dense2(x.half().float())", "logits"),
    # Dropout.
    Fault(
        "dropout-on-in-predict",
        TRAINER,
        "inputs):\n        self.model.eval()",
        "inputs):\n        self.model.train()",
        "logits",
    ),
    Fault(
        "dropout-on-for-gradients",
        TRAINER,
        "labels):\n        self.model.eval()",
        "labels):\n        self.model.train()",
        "gradients",
    ),
    Fault("dropout-off-in-training", MLP, "model.train()", "model.eval()", "dropout"),
    Fault("dropout-missing", MLP, "dropout2 = nn.Dropout(0.2)", "dropout2 = nn.Dropout(0.0)", "dropout"),
    Fault("dropout-rate-too-small", MLP, "dropout1 = nn.Dropout(0.2)", "dropout1 = nn.Dropout(0.1)", "dropout"),
    Fault("dropout-rate-too-large", MLP, "dropout1 = nn.Dropout(0.2)", "dropout1 = nn.Dropout(0.3)", "dropout"),
    Fault(
        "dropout-keeps-what-it-should-drop", MLP, "dropout2 = nn.Dropout(0.2)", "dropout2 = nn.Dropout(0.8)", "dropout"
    ),
]

CNN_FAULTS = [
    Fault(
        "kernels-flipped",
        PARAMETERS,
        "torch.from_numpy(parameters[name])",
        "torch.from_numpy(parameters[name]).flip([2, 3] if parameters[name].ndim == 4 else [])",
        "logits",
    ),
    Fault(
        "padding-not-zero",
        CNN,
        '50, 100, kernel_size=3, padding="same"',
        '50, 100, kernel_size=3, padding="same", padding_mode="replicate"',
        "logits",
    ),
    Fault("padding-missing", CNN, '100, 100, kernel_size=3, padding="same"', "100, 100, kernel_size=3", "failure"),
    Fault("flattened-channels-last", CNN, "torch.flatten(x, 1)", "torch.flatten(x.permute(0, 2, 3, 1), 1)", "logits"),
    Fault("momentum", CNN, "momentum=0.9", "momentum=0.89", "update"),
    Fault("unit-gain", CNN, "momentum=0.9", "momentum=0.9, dampening=0.9", "update"),
    Fault("nesterov", CNN, "momentum=0.9", "momentum=0.9, nesterov=True", "update"),
    Fault("dropout-not-scaled", CNN, "self.dropout3 = nn.Dropout(0.5)", UNSCALED, "dropout"),
]

HRNN, GRU, TPU = "mnist_hrnn.py", "imdb_gru.py", "cifar10_tpu_cnn.py"
COPY = "tensor.copy_(torch.from_numpy(parameters[name]))"
COPY_GATES = """value = torch.from_numpy(parameters[name])
            if "{layer}" in name:
                gates = value.chunk(len("{order}".split()))
                value = torch.cat([gates[int(gate)] for gate in "{order}".split()])
            tensor.copy_(value)"""

RESET_BEFORE = """class ResetBefore(nn.GRU):
    def forward(self, x):
        h = x.new_zeros(len(x), self.hidden_size)
        wr, wz, wn = self.weight_ih_l0.chunk(3)
        ur, uz, un = self.weight_hh_l0.chunk(3)
        br, bz, bn = (self.bias_ih_l0 + self.bias_hh_l0).chunk(3)
        for step in x.unbind(1):
            r, z = torch.sigmoid(step @ wr.T + h @ ur.T + br), torch.sigmoid(step @ wz.T + h @ uz.T + bz)
            h = (1 - z) * torch.tanh(step @ wn.T + (r * h) @ un.T + bn) + z * h
        return None, h[None]


"""
BEFORE_THE_GRU = """class Network(nn.Module):
    \"\"\"An embedding, a GRU's last output and a dense layer.\"\"\"

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(30_000, 125)
        self.gru = nn.GRU("""

HRNN_FAULTS = [
    Fault("lstm-gates-in-another-order", PARAMETERS, COPY, COPY_GATES.format(layer="lstm", order="0 2 1 3"), "logits"),
    Fault(
        "second-bias-trained",
        HRNN,
        "nn.init.zeros_(self.image_lstm.bias_hh_l0).requires_grad_(False)",
        "nn.init.zeros_(self.image_lstm.bias_hh_l0)",
        "update",
    ),
    Fault("columns-for-rows", HRNN, "x.reshape(-1, 28, 1)", "x.transpose(1, 2).reshape(-1, 28, 1)", "logits"),
    Fault("rho", HRNN, "alpha=0.9", "alpha=0.99", "update"),
]

GRU_FAULTS = [
    Fault("gru-gates-in-another-order", PARAMETERS, COPY, COPY_GATES.format(layer="gru", order="1 0 2"), "logits"),
    Fault(
        "reset-before-the-product",
        GRU,
        BEFORE_THE_GRU,
        RESET_BEFORE + BEFORE_THE_GRU.replace("nn.GRU", "ResetBefore"),
        "logits",
    ),
    Fault(
        "one-bias-of-two-not-trained",
        GRU,
        "Adam(model.parameters()",
        'Adam([p for name, p in model.named_parameters() if name != "gru.bias_hh_l0"]',
        "update",
    ),
    Fault("padding-not-trained", GRU, "(30_000, 125)", "(30_000, 125, padding_idx=0)", "update"),
    Fault(
        "dropout-where-there-is-none",
        GRU,
        "return self.dense(h[-1])",
        "return self.dense(torch.dropout(h[-1], 0.1, self.training))",
        "update",
    ),
    Fault("first-output-for-the-last", GRU, "_, h = self.gru(x)", "h = self.gru(x)[0][None, :, 0]", "logits"),
    Fault("beta", GRU, "0.999)", "0.99)", "update"),
    Fault("epsilon", GRU, "eps=1e-8", "eps=1e-6", "update"),
]

TPU_FAULTS = [
    Fault("norm-momentum-turned-round", TPU, "(32, eps=1e-3, momentum=0.01", "(32, eps=1e-3, momentum=0.99", "update"),
    Fault("norm-epsilon", TPU, "BatchNorm2d(3, eps=1e-3", "BatchNorm2d(3, eps=1e-5", "logits"),
    Fault(
        "norm-by-the-batch-in-prediction",
        TPU,
        "x = self.norm2(x)",
        "x = nn.functional.batch_norm(x, None, None, self.norm2.weight, self.norm2.bias, True, 0.0, 1e-3)",
        "logits",
    ),
    Fault(
        "norm-by-the-running-in-training",
        TPU,
        "    model.train()\n",
        "    model.train()\n    model.norm2.eval()\n",
        "update",
    ),
    Fault("norm-not-trained", TPU, "Adam(model.parameters()", "Adam(list(model.parameters())[2:]", "update"),
    Fault(
        "pool-of-the-whole-edge",
        TPU,
        "self.dropout2(F.max_pool2d(x, 2))",
        "self.dropout2(-F.max_pool2d(-x, 2))",
        "logits",
    ),
]


@pytest.fixture(scope="module")
def mlp() -> Iterator[Bench]:
    with open_bench("mnist_mlp", None) as bench:
        yield bench


@pytest.fixture(scope="module")
def cnn() -> Iterator[Bench]:
    with open_bench("cifar10_cnn", None) as bench:
        yield bench


@pytest.fixture(scope="module")
def hrnn() -> Iterator[Bench]:
    with open_bench("mnist_hrnn", None) as bench:
        yield bench


@pytest.fixture(scope="module")
def gru() -> Iterator[Bench]:
    with open_bench("imdb_gru", None) as bench:
        yield bench


@pytest.fixture(scope="module")
def tpu() -> Iterator[Bench]:
    with open_bench("cifar10_tpu_cnn", None) as bench:
        yield bench


def prove_with(bench: Bench, fault: Fault) -> Equivalence:
    folder = bench.copy_torch(fault.name)
    text = (folder / fault.file).read_text("utf-8")
    assert fault.old in text, "the text to replace isn't there any more"
    (folder / fault.file).write_text(text.replace(fault.old, fault.new), "utf-8")
    return bench.prove(folder)


def broken(proof: Equivalence) -> set[str]:
    """Name the checks that fail."""
    found = {kind for kind, check in checks(proof).items() if check.error is None or check.error > check.tolerance}
    found |= {check.name for check in proof.further if not check.holds}
    return found | ({"dropout"} if proof.dropout and not proof.dropout.passed else set())


def checks(proof: Equivalence) -> dict[str, TensorError]:
    return {"logits": proof.logits, "loss": proof.loss, "gradients": proof.gradients, "update": proof.update}


def assert_caught(bench: Bench, fault: Fault) -> None:
    if fault.caught_by == "failure":
        with pytest.raises(WorkerFailure):
            prove_with(bench, fault)
        return
    proof = prove_with(bench, fault)
    assert not proof.passed
    assert fault.caught_by in broken(proof)


def has_dropout(workload: Workload) -> bool:
    return any(isinstance(layer, Elementwise) and layer.kind == "dropout" for layer in workload.layers)


def assert_passes_with_room(bench: Bench, variants: tuple[str, ...] = ()) -> None:
    folder = bench.copy_torch("-".join(("correct", *variants)))
    proof = bench.prove(folder, variants)
    assert proof.passed
    for kind, check in checks(proof).items():
        assert check.error is not None
        assert 3 * check.error <= check.tolerance, kind
    assert (proof.dropout is not None) == has_dropout(bench.prepared.workload)
    assert proof.dropout is None or proof.dropout.passed


@pytest.mark.parametrize("fault", MLP_FAULTS, ids=lambda fault: fault.name)
def test_a_fault_in_mnist_mlp_is_caught(mlp: Bench, fault: Fault) -> None:
    assert_caught(mlp, fault)


@pytest.mark.long
@pytest.mark.parametrize("fault", CNN_FAULTS, ids=lambda fault: fault.name)
def test_a_fault_in_cifar10_cnn_is_caught(cnn: Bench, fault: Fault) -> None:
    assert_caught(cnn, fault)


@pytest.mark.long
@pytest.mark.parametrize("fault", HRNN_FAULTS, ids=lambda fault: fault.name)
def test_a_fault_in_mnist_hrnn_is_caught(hrnn: Bench, fault: Fault) -> None:
    assert_caught(hrnn, fault)


@pytest.mark.long
@pytest.mark.parametrize("fault", GRU_FAULTS, ids=lambda fault: fault.name)
def test_a_fault_in_imdb_gru_is_caught(gru: Bench, fault: Fault) -> None:
    assert_caught(gru, fault)


@pytest.mark.long
@pytest.mark.parametrize("fault", TPU_FAULTS, ids=lambda fault: fault.name)
def test_a_fault_in_cifar10_tpu_cnn_is_caught(tpu: Bench, fault: Fault) -> None:
    assert_caught(tpu, fault)


@pytest.mark.long
@pytest.mark.parametrize("variants", [(), ("cells",)], ids=["fused", "cells"])
def test_the_correct_gru_passes_with_a_factor_3_to_spare(gru: Bench, variants: tuple[str, ...]) -> None:
    assert_passes_with_room(gru, variants)


def test_the_correct_mlp_passes_with_a_factor_3_to_spare(mlp: Bench) -> None:
    assert_passes_with_room(mlp)


@pytest.mark.long
@pytest.mark.parametrize("variants", [(), ("channels_last",)], ids=["plain", "channels_last"])
def test_the_correct_cnn_passes_with_a_factor_3_to_spare(cnn: Bench, variants: tuple[str, ...]) -> None:
    assert_passes_with_room(cnn, variants)


def test_bfloat16_is_not_float32(mlp: Bench) -> None:
    """What is declared with its own tolerance must not pass for float32."""
    assert {"logits", "gradients"} <= broken(mlp.prove(mlp.copy_torch("bf16"), ("bf16",)))


@pytest.mark.parametrize("workload", ["mnist_mlp", pytest.param("cifar10_cnn", marks=pytest.mark.long)])
def test_real_data_leave_a_factor_3_to_spare(workload: str, real_data: Path) -> None:
    with open_bench(workload, real_data) as bench:
        assert_passes_with_room(bench)


# The comparison by itself


def observation(**changed: Any) -> Observation:
    """What a network of one weight might show, with dropout."""
    weight, bias = np.array([[3.0, 4.0]]), np.array([2.0])
    fields: dict[str, Any] = {
        "logits": np.array([[3.0, 4.0]]),
        "loss": 2.0,
        "gradients": {"weight": weight, "bias": bias},
        "update": {"weight": weight, "bias": bias},
        "dropout_distances": {"weight": np.array([1.0, 1.1, 0.9, 1.0])},
    }
    return Observation(**fields | changed)


def test_a_relative_error_by_hand() -> None:
    gradients = {"weight": np.array([[3.0, 4.0005]]), "bias": np.array([2.0])}
    proof = compare(observation(gradients=gradients), observation(), WORKLOAD, Tolerances())
    assert proof.gradients.error == pytest.approx(0.0005 / 5)
    assert proof.gradients.tensor == "weight"
    assert (proof.logits.error, proof.loss.error, proof.update.error) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("factor", "passed"), [(0.9, True), (1.1, False)])
def test_a_tolerance_is_a_limit(factor: float, passed: bool) -> None:
    found = observation(logits=np.array([[3.0, 4.0]]) * (1 + factor * 1e-5))
    assert compare(found, observation(), WORKLOAD, Tolerances()).passed is passed


@pytest.mark.parametrize(
    ("changed", "caught_by"),
    [
        ({"logits": np.array([[3.0, np.nan]])}, "logits"),
        ({"logits": np.array([[3.0], [4.0]])}, "logits"),
        ({"loss": None}, "loss"),
        ({"gradients": {"weight": np.array([[3.0, 4.0]])}}, "gradients"),
        ({"gradients": {"weight": np.array([[3.0, 4.0]]), "bias": np.array([2.0]), "more": np.zeros(1)}}, "gradients"),
        ({"update": {"weight": np.array([[3.0, np.inf]]), "bias": np.array([2.0])}}, "update"),
        ({"dropout_distances": {"weight": np.zeros(4)}}, "dropout"),
        ({"dropout_distances": {"weight": np.array([1.0, np.nan, 1.0, 1.0])}}, "dropout"),
        ({"dropout_distances": {}}, "dropout"),
    ],
)
def test_what_is_missing_or_not_a_number_fails(changed: dict[str, Any], caught_by: str) -> None:
    proof = compare(observation(**changed), observation(), WORKLOAD, Tolerances())
    assert not proof.passed
    assert broken(proof) == {caught_by}
    proof.model_validate_json(proof.model_dump_json())


def test_dropout_where_the_reference_has_none_is_caught() -> None:
    without = {"dropout_distances": {"weight": np.zeros(4)}}
    assert compare(observation(**without), observation(**without), WORKLOAD, Tolerances()).dropout is None
    rounding = {"dropout_distances": {"weight": np.full(4, 1e-6)}}
    assert compare(observation(**rounding), observation(**without), WORKLOAD, Tolerances()).passed
    assert broken(compare(observation(), observation(**without), WORKLOAD, Tolerances())) == {"dropout"}
