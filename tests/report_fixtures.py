"""Hand-made results for the tests of the reports: every status, a tie, a bf16 variant, real and synthetic data."""

import dataclasses
import math
import random
from typing import Any

from rosetta.record.result import (
    Accuracy,
    Check,
    Chunk,
    ContenderResult,
    DropoutCheck,
    Equivalence,
    Machine,
    Protocol,
    PublishedFigure,
    Ratio,
    Result,
    TensorError,
    WorkloadResult,
)
from rosetta.workloads import find_workload


def proof(passed=True, gradient=4.1e-6, scale=1.0, deviation="", dropout_passed=True):
    return Equivalence(
        passed=passed,
        logits=TensorError(error=2.1e-7, tolerance=1e-5 * scale, tensor="logits"),
        loss=TensorError(error=3.3e-8, tolerance=1e-5 * scale, tensor="loss"),
        gradients=TensorError(error=gradient, tolerance=1e-4 * scale, tensor="conv2.weight"),
        update=TensorError(error=1.2e-5, tolerance=1e-3 * scale, tensor="dense1.bias"),
        dropout=DropoutCheck(tensor="dense1.weight", distance=0.71, expected=0.7, sd=0.02, passed=dropout_passed),
        further=[
            Check(name="late state", error=2.9e-6, tolerance=1e-3, detail=deviation or "dense1.weight"),
            Check(name="dropout layers", error=0.4, tolerance=17.0, detail="dropout before dense2: 68.1% alike"),
        ],
        deviation=deviation,
    )


PREDICTION_PROOF = Equivalence(passed=True, logits=TensorError(error=3.4e-7, tolerance=1e-5, tensor="logits"))


def chunks(rate, batch, launches=4, rounds=8, seed=0, steps=4):
    draw = random.Random(seed)
    found = []
    for launch in range(launches):
        luck = draw.gauss(0, 0.02)
        samples, elapsed = 10 * batch, 10 * batch / rate
        for index in range(rounds):
            seconds = steps * batch / rate * math.exp(luck + draw.gauss(0, 0.08))
            samples += steps * batch
            elapsed += seconds
            loss = 2.3 * math.exp(-samples / 6000) + 0.4 + draw.gauss(0, 0.03)
            found.append(
                Chunk(
                    launch=launch,
                    round=index,
                    steps=steps,
                    samples=steps * batch,
                    seconds=seconds,
                    loss=loss,
                    trained_samples=samples,
                    trained_seconds=elapsed,
                )
            )
    return found


def accuracies(rate, launches=4, points=3, seed=0):
    draw = random.Random(seed)
    return [
        Accuracy(
            launch=launch,
            trained_samples=(point + 1) * 1000,
            trained_seconds=(point + 1) * 1000 / rate,
            value=min(0.95, 0.1 + 0.12 * (point + 1) + draw.gauss(0, 0.01)),
            test_samples=1000,
        )
        for launch in range(launches)
        for point in range(points)
    ]


def ok(name, version, rate, ratio, *, batch=64, rounds=8, seed=0, **more):
    framework = name.split("[")[0]
    values: dict[str, Any] = {
        "import_seconds": 2.14,
        "build_seconds": 0.31,
        "first_step_seconds": 1.27,
        "fraction_of_peak": rate * (3.73e8 if batch == 64 else 4.01e6) / 3.51e11,
        "peak_memory_bytes": 1_234_567_890,
        "loss": 1.283,
        "accuracy": 0.463,
        "trained_samples": 3000,
        "packages": {framework: version, "numpy": "2.1.0"},
        "equivalence": proof(),
        "accuracies": accuracies(rate, seed=seed),
    }
    return ContenderResult(
        name=name,
        framework=framework,
        version=version,
        status="ok",
        samples_per_second=rate,
        ratio=ratio,
        chunks=chunks(rate, batch, rounds=rounds, seed=seed),
        **(values | more),
    )


def cifar(rounds=8):
    best = "tensorflow"
    return WorkloadResult(
        workload="cifar10_cnn",
        title="Convolutional network on CIFAR-10",
        source="Rosetta Stone, ilkarman/DeepLearningFrameworks (2018)",
        data="real",
        batch_size=64,
        flops_per_sample=373_000_000,
        chance_accuracy=0.1,
        contenders=[
            ok(
                "torch",
                "2.13.0",
                302.4,
                Ratio(to=best, value=0.7204, low=0.7011, high=0.7395, tie=False),
                seed=1,
                rounds=rounds,
            ),
            ok(
                "tensorflow",
                "2.21.0",
                420.1,
                Ratio(to=best, value=1, low=1, high=1, tie=True),
                seed=2,
                rounds=rounds,
                import_seconds=5.82,
            ),
            ok(
                "torch[channels_last]",
                "2.13.0",
                412.7,
                Ratio(to=best, value=0.9812, low=0.9504, high=1.0141, tie=True),
                seed=3,
                rounds=rounds,
            ),
            ok(
                "keras[jax]",
                "3.15.1",
                98.3,
                Ratio(to=best, value=0.2334, low=0.2262, high=0.2411, tie=False),
                seed=4,
                rounds=rounds,
                first_step_seconds=8.4,
                equivalence=proof(deviation="ε is added inside the square root"),
            ),
            ContenderResult(
                name="chainer",
                framework="chainer",
                version="7.8.1",
                status="not_equivalent",
                reason="the worst tensor is conv2.weight",
                equivalence=proof(passed=False, gradient=0.031),
                import_seconds=1.1,
            ),
            ContenderResult(
                name="mxnet",
                framework="mxnet",
                version="1.9.1",
                status="failed",
                reason="killed by SIGSEGV while compiling\nlibmxnet.so: undefined symbol: cblas_sgemm",
            ),
            ContenderResult(
                name="cntk",
                framework="cntk",
                version=None,
                status="unavailable",
                reason="no wheel for Python 3.11: cntk==2.7",
            ),
            ContenderResult(name="theano", framework="theano", version=None, status="pending"),
        ],
    )


def mnist(rounds=8):
    best = "torch[bf16]"
    return WorkloadResult(
        workload="mnist_mlp",
        title="Multi-layer perceptron on MNIST",
        source="Keras 2.0 example mnist_mlp.py",
        data="synthetic",
        batch_size=128,
        flops_per_sample=4_010_000,
        chance_accuracy=0.1,
        contenders=[
            ok(
                "torch[bf16]",
                "2.13.0",
                51_200.0,
                Ratio(to=best, value=1, low=1, high=1, tie=True),
                batch=128,
                seed=5,
                rounds=rounds,
                precision="bfloat16",
                equivalence=proof(scale=3000, gradient=0.012),
            ),
            ok(
                "jax",
                "0.10.2",
                34_210.0,
                Ratio(to=best, value=0.668, low=0.641, high=0.696, tie=False),
                batch=128,
                seed=6,
                rounds=rounds,
            ),
            ok(
                "torch",
                "2.13.0",
                16_930.0,
                Ratio(to=best, value=0.331, low=0.319, high=0.343, tie=False),
                batch=128,
                seed=7,
                rounds=rounds,
            ),
        ],
    )


NAMES = ("torch", "torch[channels_last]", "tensorflow", "jax", "keras[torch]", "keras[jax]")


def one_accuracy(value, after, seed, launches=4):
    """Give each launch one accuracy, after the same number of samples."""
    draw = random.Random(seed)
    return [
        Accuracy(
            launch=launch,
            trained_samples=after,
            trained_seconds=1.5 + launch / 10,
            value=value + draw.gauss(0, 0.009),
            test_samples=1000,
        )
        for launch in range(launches)
    ]


NINE = (
    "mnist_mlp",
    "babi_rnn",
    "imdb_gru",
    "cifar10_keras_cnn",
    "mnist_cnn",
    "mnist_hrnn",
    "cifar10_tpu_cnn",
    "cifar10_cnn",
    "resnet50_features",
)


def real_workload(name, rounds=4):
    """Make up the figures of six contenders on a workload that exists; on every second one two of them tie."""
    spec = find_workload(name)
    draw = random.Random(name)
    speeds = [10 ** draw.uniform(-1.1, -0.06) for _ in NAMES]
    fastest = draw.randrange(len(NAMES))
    tied = (fastest + 1) % len(NAMES) if draw.random() < 0.5 else None
    peak = 3e11 / spec.flops_per_sample
    contenders = []
    for place, label in enumerate(NAMES):
        value = 1.0 if place == fastest else 0.985 if place == tied else speeds[place]
        width = 1.021 if place == tied else 1.012
        low, high = (1.0, 1.0) if place == fastest else (value / width, value * width)
        ratio = Ratio(to=NAMES[fastest], value=value, low=low, high=high, tie=place == tied)
        figures = {
            "accuracy": 0.46,
            "trained_samples": spec.compared_after,
            "accuracies": one_accuracy(0.46, spec.compared_after, place),
        }
        if not spec.trains:
            figures = {"loss": None, "accuracy": None, "trained_samples": None, "accuracies": []}
            figures |= {"latency_seconds": 0.0523 / value, "equivalence": PREDICTION_PROOF}
        speed = peak * value
        found = ok(label, "2.13.0", speed, ratio, batch=spec.batch_size, seed=place, rounds=rounds, **figures)
        if not spec.trains:
            predicted = [chunk.model_copy(update={"loss": None}) for chunk in found.chunks]
            found = found.model_copy(update={"chunks": predicted})
        contenders.append(found.model_copy(update={"fraction_of_peak": 0.6 * value}))
    return WorkloadResult(
        workload=name,
        title=spec.title,
        source=spec.source,
        data="synthetic" if name == "imdb_gru" else "real",
        batch_size=spec.batch_size,
        flops_per_sample=spec.flops_per_sample,
        trained=spec.trains,
        epoch_samples=49_984,
        reached=spec.reached,
        published=[PublishedFigure(**dataclasses.asdict(figure)) for figure in spec.published],
        accuracy_spread=0.0094 if spec.trains else None,
        chance_accuracy=0.1,
        contenders=contenders,
    )


def instead(workload, name, status, reason, **more):
    """Put an unmeasured contender in the place of a measured one."""
    other = ContenderResult(
        name=name, framework=name.split("[")[0], version="2.13.0", status=status, reason=reason, **more
    )
    return changed(workload, name, **dict(other))


def changed(workload, name, /, **fields):
    """Change some fields of one contender."""
    contenders = [c.model_copy(update=fields) if c.name == name else c for c in workload.contenders]
    return workload.model_copy(update={"contenders": contenders})


def not_fastest(workload, nth=1):
    """Name a contender that is neither the fastest nor ties with it."""
    slower = [c.name for c in workload.contenders if c.ratio and not c.ratio.tie and c.ratio.to != c.name]
    return slower[nth]


NO_IMPLEMENTATION = "plan: JAX has no implementation of mnist_hrnn."
NOTE = "Two biases are kept, the second one at zero."


def everything(rounds=4, **changes):
    """Make a run of nine workloads with six contenders: every kind of cell, flag and figure there is."""
    found = {name: real_workload(name, rounds) for name in NINE}
    wrong, broken, absent = (not_fastest(found[name]) for name in ("mnist_cnn", "imdb_gru", "mnist_hrnn"))
    found["mnist_cnn"] = instead(
        found["mnist_cnn"], wrong, "not_equivalent", "the worst tensor", equivalence=proof(passed=False, gradient=0.031)
    )
    found["imdb_gru"] = instead(found["imdb_gru"], broken, "failed", "first step: killed by SIGSEGV\nlib.so: no symbol")
    found["mnist_hrnn"] = instead(found["mnist_hrnn"], absent, "failed", NO_IMPLEMENTATION)
    found["resnet50_features"] = instead(
        found["resnet50_features"], not_fastest(found["resnet50_features"]), "unavailable", "no wheel for Python 3.11"
    )
    odd = not_fastest(found["cifar10_cnn"], 0)
    found["cifar10_cnn"] = changed(
        found["cifar10_cnn"], odd, accuracy_differs=True, accuracy=0.402, accuracies=one_accuracy(0.402, 320, 9)
    )
    found["imdb_gru"] = changed(found["imdb_gru"], not_fastest(found["imdb_gru"], 0), note=NOTE)
    values = {"results": list(found.values())} | changes
    return example(**values)


def published_protocol(epochs=3):
    """Make a run of the published protocol: one launch, a round is an epoch, accuracy after each."""
    workload = real_workload("cifar10_cnn")
    epoch = workload.epoch_samples
    contenders = [
        contender.model_copy(
            update={
                "ratio": contender.ratio.model_copy(update={"low": None, "high": None, "tie": False}),
                "chunks": [
                    chunk.model_copy(update={"trained_samples": (chunk.round + 1) * epoch})
                    for chunk in chunks(contender.samples_per_second, 64, launches=1, rounds=epochs, steps=epoch // 64)
                ],
                "accuracies": [
                    accuracy.model_copy(update={"trained_samples": (place + 1) * epoch})
                    for place, accuracy in enumerate(accuracies(contender.samples_per_second, 1, epochs))
                ],
                "trained_samples": epochs * epoch,
            }
        )
        for contender in workload.contenders
    ]
    workload = workload.model_copy(update={"contenders": contenders, "accuracy_spread": None})
    changes = {"preset": "full", "epochs": True, "launches": 1, "rounds": {"cifar10_cnn": epochs}}
    return example([workload], protocol=example().protocol.model_copy(update=changes))


def example(results=None, **changes):
    values: dict[str, Any] = {
        "run": "2026-01-31-quiet-otter",
        "started": "2026-01-31T12:00:00Z",
        "complete": True,
        "wall_seconds": 754.0,
        "useful_seconds": 640.0,
        "machine": Machine(
            host_platform="Linux 6.8",
            cpu="Intel Xeon Platinum 8481C",
            cores=2,
            memory_bytes=8 * 2**30,
            device="cpu",
            matmul_flops=3.51e11,
            copy_bytes_per_second=3.2e10,
            canary_drift=0.021,
            background_load=0.04,
            host_load=0.01,
        ),
        "protocol": Protocol(
            preset="standard",
            launches=4,
            rounds={"cifar10_cnn": 8, "mnist_mlp": 8},
            seed=1,
            one_at_a_time=False,
            threads=2,
            affinity=[0, 1],
            environment={"OMP_NUM_THREADS": "2"},
            confidence=0.95,
            rosetta_version="0.1.0",
            command="rosetta run cifar10_cnn mnist_mlp --seed 1",
        ),
        "results": [cifar(), mnist()] if results is None else results,
    }
    return Result(**({"schema": "rosetta-result/1"} | values | changes))


HOSTILE = "</script><script>document.title='broken'</script><!-- <b>&amp; [bold]x[/bold] | `a` \x1b[31mred\x1b[0m"


def hostile():
    """Put the same hostile text wherever a framework, a data file or a user can put text."""
    cnn = cifar()
    torch = cnn.contenders[0].model_copy(
        update={
            "name": HOSTILE,
            "version": HOSTILE,
            "packages": {HOSTILE: HOSTILE},
            "precision": HOSTILE,
            "equivalence": proof(deviation=HOSTILE),
        }
    )
    broken = cnn.contenders[5].model_copy(update={"name": HOSTILE, "framework": HOSTILE, "reason": HOSTILE})
    workload = cnn.model_copy(
        update={
            "title": HOSTILE,
            "source": HOSTILE,
            "data": f"synthetic {HOSTILE}",
            "contenders": [torch, *cnn.contenders[1:5], broken],
        }
    )
    return example([workload], run=HOSTILE)


SOURCES = {
    "cifar10_cnn": {
        "numpy": '"""The reference."""\n\nimport numpy as np\n\n\ndef relu(x):\n    return np.maximum(x, 0)  # < & >\n',
        "torch": "from torch import nn\n\n\nclass Net(nn.Module):\n    def forward(self, x):\n        return x\n",
        "tensorflow": "import tensorflow as tf\n\nmodel = tf.keras.Sequential([])\n",
    },
    "mnist_mlp": {"torch": "from torch import nn\n\nmodel = nn.Linear(784, 10)\n"},
}
