"""The machine's peak: the best product of any worker. A share above it is an error, and what disturbed is told."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from report_fixtures import cifar, example
from results_events import MACHINE, SESSION, chunk, data_event, environment, make_plan, proof
from rich.console import Console

from rosetta.benchmark.peak import record_products
from rosetta.environments.worker import WorkerFailure
from rosetta.record.derive import derive
from rosetta.record.events import Event
from rosetta.record.result import Disturbance, Result, WorkloadResult
from rosetta.report.exports import to_markdown
from rosetta.report.page import render_page
from rosetta.report.sentences import machine_words, peak_words
from rosetta.report.terminal import result_table
from rosetta.report.warnings import warnings
from rosetta_worker import messages, product
from rosetta_worker.session import Session

WORKER = Path(product.__file__).parent
FLOPS_PER_SAMPLE = 3 * 2 * 668_672
"""Of mnist_mlp."""


def multiplied(label: str, *seconds: float, own: bool = True, size: int = 1000) -> Event:
    fields = {"label": label, "name": label, "size": size, "own": own, "seconds": list(seconds), "reason": ""}
    return {"event": "product", **fields}


def result_of(*events: Event) -> Result:
    head = [SESSION, MACHINE, environment("torch"), data_event(), proof("torch"), chunk("torch", 0, 0, 0.1)]
    return derive(make_plan(["torch"]), "a run", [*head, *events])


# The peak


def test_the_peak_is_the_best_product_of_any_worker() -> None:
    # 2 · 1000³ in 1 ms are 2 TFLOP/s; the host's NumPy has 1.
    result = result_of(multiplied("torch", 0.01, 0.004), multiplied("jax", 0.003, 0.001, 0.002))
    assert (result.machine.peak_flops, result.machine.peak_by) == (2e12, "jax")
    assert result.machine.matmul_flops == 1e12, "what older programs read stays"
    (contender,) = result.results[0].contenders
    assert contender.samples_per_second is not None
    assert contender.fraction_of_peak == pytest.approx(contender.samples_per_second * FLOPS_PER_SAMPLE / 2e12)
    assert peak_words(result.machine) == "2,000 GFLOP/s (jax)"


def test_the_hosts_product_counts_where_no_worker_is_better() -> None:
    result = result_of(multiplied("torch", 0.004))
    assert (result.machine.peak_flops, result.machine.peak_by) == (1e12, "NumPy")


def test_numpy_counts_beside_a_framework_that_names_no_product() -> None:
    assert result_of(multiplied("mine", 0.001, own=False)).machine.peak_by == "NumPy beside mine"


def test_without_the_workers_products_the_figure_is_the_old_one() -> None:
    failed = {**multiplied("torch"), "reason": "multiply raised ImportError"}
    for result in (result_of(), result_of(failed)):
        assert result.machine.peak_flops == result.machine.matmul_flops == 1e12
        assert result.results[0].contenders[0].fraction_of_peak is not None


def test_a_share_above_the_peak_is_an_error_and_not_shown() -> None:
    flops = 10 * 128 / 0.1 * FLOPS_PER_SAMPLE
    weak = {**MACHINE, "matmul_flops": flops / 1.17}
    head = [SESSION, weak, environment("torch"), data_event(), proof("torch"), chunk("torch", 0, 0, 0.1)]
    result = derive(make_plan(["torch"]), "a run", head)
    (contender,) = result.results[0].contenders
    assert contender.fraction_of_peak is None
    assert contender.impossible_fraction == pytest.approx(1.17)
    for text in shown(result):
        assert "torch would have reached 117 % of the peak" in " ".join(text.split())
        assert text.count("117") == 1
    # With a worker that reaches more, it is a share again.
    better = derive(make_plan(["torch"]), "a run", [*head, multiplied("jax", 2e9 / (2 * flops))])
    assert better.results[0].contenders[0].fraction_of_peak == pytest.approx(0.5)
    assert not warnings(better.results[0])


def shown(result: Result) -> list[str]:
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    for workload in result.results:
        console.print(result_table(workload, result.protocol))
    return [console.export_text(), to_markdown(result).replace("\\", ""), body(render_page(result, {}))]


def body(page: str) -> str:
    """Return a page without its scripts, in which all sorts of numbers stand."""
    return page.partition("<main>")[2].partition("<noscript>")[0]


# The workers' products


def folder_with(folder: Path, code: str | None) -> Path:
    """Make a framework's folder with this code for its product."""
    place = folder / f"of_{folder.name}"
    place.mkdir()
    if code is not None:
        (place / "product.py").write_text(code)
    return place


def multiply(folder: Path, size: int = 32) -> messages.Multiplied:
    session: Any = Session()
    session._folder = str(folder)
    reply: messages.Multiplied = session.multiply(messages.Multiply(size, 0.01))
    return reply


def test_a_framework_multiplies_in_its_own_way(tmp_path: Path) -> None:
    found = multiply(folder_with(tmp_path, "def make_product(a, b):\n    return lambda: a @ b\n"))
    assert found.own
    assert found.seconds and min(found.seconds) > 0


def test_a_folder_without_a_product_has_numpys(tmp_path: Path) -> None:
    found = multiply(folder_with(tmp_path, None))
    assert not found.own and found.seconds


@pytest.mark.parametrize(
    "what",
    [
        "None",
        "a * b",
        "(a @ b)[:4]",
        "a.T @ b",
        "(a.view('i4') & -65536).view('f4') @ (b.view('i4') & -65536).view('f4')",
    ],
    ids=["nothing", "elementwise", "a part", "transposed", "bfloat16"],
)
def test_what_is_no_float32_product_is_refused(tmp_path: Path, what: str) -> None:
    code = f"def make_product(a, b):\n    return lambda: {what}\n"
    with pytest.raises((ValueError, IndexError)):
        multiply(folder_with(tmp_path, code), 256)


def test_a_product_that_takes_all_the_time_is_made_once() -> None:
    a, b = product.square(8, 0), product.square(8, 1)
    calls: list[int] = []

    def slow() -> np.ndarray:
        calls.append(1)
        return a @ b

    assert len(product.time_products(slow, a, b, 0.0)) == len(calls) == 1
    assert len(product.time_products(slow, a, b, 0.05)) == len(calls) - 2, "the first one warms up"


def test_every_framework_of_rosettas_own_says_how_it_multiplies() -> None:
    missing = {f.name for f in (WORKER / "frameworks").iterdir() if (f / "trainer.py").exists()} - {"numpy"}
    assert {name for name in missing if not product.has_own_product(str(WORKER / "frameworks" / name))} == set()


class StandIn:
    """Stands in for a run: arms whose workers answer what they are given, and a log."""

    def __init__(self, kind: str = "run", **products: Any):
        self.plan = SimpleNamespace(kind=kind)
        self.log = self
        self.events: list[Event] = []
        self.arms: Any = [self.arm(name) for name in products]
        self.clients: Any = {name: self.client(answer) for name, answer in products.items()}
        self.asked = 0

    def append(self, event: str, **fields: Any) -> None:
        self.events.append({"event": event, **fields})

    def arm(self, name: str) -> Any:
        device = "cuda" if name == "gpu" else "cpu"
        return SimpleNamespace(label=name, worker=name, contender=SimpleNamespace(device=device, name=name))

    def client(self, answer: Any) -> Any:
        def products(size: int, seconds: float) -> Any:
            self.asked += 1
            if isinstance(answer, Exception):
                raise answer
            return answer

        return SimpleNamespace(products=products, worker=SimpleNamespace(alive=answer is not None))

    def record(self) -> list[tuple[str, list[float], str]]:
        record_products(cast(Any, self), self.arms, self.clients)
        return [(event["label"], event["seconds"], event["reason"]) for event in self.events]


def test_every_living_worker_on_the_processor_is_asked_once() -> None:
    answer = messages.Multiplied([0.5], True)
    run = StandIn(torch=answer, jax=answer, dead=None, gpu=answer)
    assert run.record() == run.record() == [("torch", [0.5], ""), ("jax", [0.5], "")]
    assert run.asked == 2
    assert StandIn("verify", torch=answer).record() == StandIn("calibrate", torch=answer).record() == []


def test_a_worker_that_cannot_multiply_leaves_its_reason() -> None:
    run = StandIn(torch=WorkerFailure("multiply raised"), jax=messages.Multiplied([0.5], True))
    assert run.record() == [("torch", [], "multiply raised"), ("jax", [0.5], "")]


# What disturbed


def round_(launch: int, number: int, **more: Any) -> Event:
    quiet = {"canary_seconds": 1.0, "seconds": 10.0, "busy_seconds": 15.0, "host_seconds": 1.0, "worker_seconds": 14.0}
    return {"event": "round", "workload": "mnist_mlp", "launch": launch, "round": number, **quiet, **more}


def seen(*events: Event) -> list[tuple[str, int, list[int], Any]]:
    (workload,) = result_of(*events).results
    return [(d.kind, d.launch, d.rounds, pytest.approx(d.amount)) for d in workload.disturbances]


def test_a_quiet_machine_has_no_disturbances() -> None:
    quiet = {"throttled_seconds": 0.0, "throttled_periods": 0, "heat_events": 0, "memory_stall_seconds": 0.05}
    assert seen(round_(0, 0, **quiet, megahertz=3000.0), round_(1, 0, **quiet, megahertz=2800.0)) == []
    unknown = dict.fromkeys((*quiet, "megahertz"))
    assert seen(round_(0, 0, **unknown), round_(0, 1)) == []


def test_rounds_of_older_logs_and_other_workloads_disturb_nobody() -> None:
    old = {name: value for name, value in round_(0, 0, busy_seconds=30.0).items() if name not in ("workload", "launch")}
    assert seen(old) == []
    assert seen({**round_(0, 0, heat_events=3), "workload": "cifar10_cnn"}) == []


def test_what_was_seen_is_told_by_launch_and_round() -> None:
    assert seen(
        round_(0, 0, throttled_seconds=0.25, megahertz=3000.0),
        round_(0, 1, throttled_seconds=0.0, heat_events=4, megahertz=3000.0),
        round_(0, 2, throttled_seconds=0.5, memory_stall_seconds=1.5, megahertz=3100.0),
        round_(1, 0, busy_seconds=20.0, megahertz=2100.0),
        round_(1, 1, busy_seconds=15.0, megahertz=2500.0),
    ) == [
        ("throttled", 0, [0, 2], 0.75),
        ("heat", 0, [1], 4),
        ("memory", 0, [2], 1.5),
        ("frequency", 1, [0, 1], 0.7),
        ("load", 1, [0, 1], 0.25),
    ]


def test_disturbances_stand_beside_the_figures_they_touched() -> None:
    def disturbed(workload: WorkloadResult) -> WorkloadResult:
        found = [
            Disturbance(launch=1, rounds=[0, 2], kind="throttled", amount=0.75),
            Disturbance(launch=0, rounds=[1], kind="heat", amount=4),
            Disturbance(launch=0, rounds=[1], kind="memory", amount=1.5),
            Disturbance(launch=0, rounds=[0, 1, 2], kind="frequency", amount=0.7),
            Disturbance(launch=3, rounds=[1], kind="throttled", amount=0.25),
            Disturbance(launch=3, rounds=[0], kind="load", amount=0.25),
            Disturbance(launch=0, rounds=[0], kind="load", amount=0.125),
        ]
        return workload.model_copy(update={"disturbances": found})

    sentences = (
        "Launch 2, rounds 1 and 3; launch 4, round 2: the CPU quota held processes back, for 1.0 s over all",
        "Launch 1, round 2: the processor became too hot and slowed itself down.",
        "Launch 1, round 2: processes waited for memory, for 1.5 s.",
        "Launch 1, rounds 1, 2 and 3: the processor's frequency was 70 % of its usual one.",
        "Launches 4 and 1: other programs kept up to 0.25 cores busy while chunks ran.",
    )
    for text in shown(example([disturbed(cifar())])):
        words = " ".join(text.replace("&#39;", "'").split())
        assert [sentence for sentence in sentences if sentence not in words] == []
    assert not any("Launch 2" in text for text in shown(example([cifar()])))


def test_the_machines_line_names_the_quota() -> None:
    machine = example().machine
    assert "quota" not in machine_words(machine)
    assert "CPU quota 1.5" in machine_words(machine.model_copy(update={"cpu_quota": 1.5}))
