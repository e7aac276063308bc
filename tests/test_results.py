"""A run's result from hand-made events: statuses and reasons, medians, ratios and ties, what is still pending."""

import csv
import math
from pathlib import Path
from typing import Any

import pytest
from results_events import MACHINE, SESSION, check, chunk, data_event, environment, make_plan, proof

from rosetta.record.derive import derive
from rosetta.record.directory import new_folder
from rosetta.record.events import Event
from rosetta.record.plan import Plan
from rosetta.record.result import ContenderResult, Result
from rosetta.record.speeds import log_rates
from rosetta.report.columns import first_step_words, shown
from rosetta.report.exports import to_csv, to_markdown
from rosetta.report.ratios import scaling_words
from rosetta.report.sentences import machine_words, ratio_meaning, verdict

BATCH = 128


def result_of(plan: Plan, *events: Event) -> Result:
    result = derive(plan, "a-run", [SESSION, MACHINE, *events])
    assert Result.model_validate_json(result.model_dump_json(by_alias=True)) == result
    return result


def contender_of(*events: Event, **more: Any) -> ContenderResult:
    """Derive the only contender's result."""
    plan = make_plan(["torch"])
    (contender,) = result_of(plan, environment("torch", **more), data_event(), *events).results[0].contenders
    return contender


def failure(label: str, stage: str, reason: str) -> Event:
    return {"event": "failure", "workload": "mnist_mlp", "label": label, "stage": stage, "reason": reason}


def two_contenders(a: dict[tuple[int, int], float], b: dict[tuple[int, int], float]) -> list[ContenderResult]:
    """Derive two contenders' results from their chunks' seconds."""
    labels = ["torch", "jax"]
    events = [*(environment(label) for label in labels), data_event(), *(proof(label) for label in labels)]
    for label, times in zip(labels, (a, b), strict=True):
        events += [chunk(label, launch, round_, seconds) for (launch, round_), seconds in times.items()]
    return result_of(make_plan(labels), *events).results[0].contenders


# Status


def test_runs_begun_in_the_same_second_have_directories_of_their_own(tmp_path: Path) -> None:
    for _ in range(3):
        new_folder(tmp_path, "run").mkdir()
    assert len(list(tmp_path.iterdir())) == 3


def test_without_a_proof_it_is_pending() -> None:
    found = contender_of()
    assert (found.status, found.reason, found.equivalence, found.samples_per_second) == ("pending", "", None, None)


def test_proven_but_not_measured_is_pending_in_a_run_and_ok_in_a_verification() -> None:
    assert contender_of(proof("torch")).status == "pending"
    assert contender_of(proof("torch"), measures=False).status == "ok"


def test_proven_and_measured_is_ok() -> None:
    found = contender_of(proof("torch"), chunk("torch", 0, 0, 0.1))
    assert (found.status, found.reason) == ("ok", "")
    assert found.equivalence is not None
    assert found.equivalence.passed


def test_an_environment_that_was_not_built_is_unavailable_with_its_reason() -> None:
    found = contender_of(reason="no network")
    assert (found.status, found.reason) == ("unavailable", "no network")


def test_the_last_failure_is_the_reason_and_outweighs_the_chunks() -> None:
    found = contender_of(
        proof("torch"), chunk("torch", 0, 0, 0.1), failure("torch", "launch 1, round 2", "it was ended by SIGSEGV")
    )
    assert (found.status, found.reason) == ("failed", "launch 1, round 2: it was ended by SIGSEGV")
    assert found.samples_per_second is None
    assert found.ratio is None
    assert len(found.chunks) == 1


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        ({"logits": check(3e-3)}, "logits of logits: error 3.0e-03, tolerance 1e-05"),
        ({"gradients": check(0.5, 1e-4, "conv1.weight")}, "gradient of conv1.weight: error 5.0e-01, tolerance 1e-04"),
        ({"update": check(None, 1e-3, "dense1.bias")}, "update of dense1.bias: error not a finite number"),
        # Of several broken checks the one that misses its tolerance by most; what isn't finite misses it by any.
        ({"loss": check(2e-5), "gradients": check(1.0, 1e-4, "g")}, "gradient of g"),
        ({"loss": check(None, 1e-5, "loss"), "gradients": check(1.0, 1e-4, "g")}, "loss of loss"),
        (
            {"dropout": {"tensor": "dense1.weight", "distance": 0.5, "expected": 1.0, "sd": 0.02, "passed": False}},
            "dropout in training moves dense1.weight by 0.5",
        ),
    ],
)
def test_what_is_not_the_same_network_names_its_worst_tensor(checks: dict[str, Any], said: str) -> None:
    found = contender_of(proof("torch", passed=False, **checks))
    assert found.status == "not_equivalent"
    assert found.reason.startswith("not the same network: ")
    assert said in found.reason


def test_a_workload_whose_data_are_not_there_yet_is_left_out() -> None:
    plan = make_plan(["torch"], workloads=["mnist_mlp", "cifar10_cnn"])
    found = result_of(plan, environment("torch"), data_event())
    assert [workload.workload for workload in found.results] == ["mnist_mlp"]


# Figures


def test_samples_per_second_and_the_fraction_of_the_peak() -> None:
    # Each launch's geometric mean, then the geometric mean of the launches: √(0.1 · 0.4) = 0.2, and 0.05.
    found = contender_of(
        proof("torch"), chunk("torch", 0, 0, 0.1), chunk("torch", 0, 1, 0.4), chunk("torch", 1, 0, 0.05)
    )
    assert found.samples_per_second == pytest.approx(10 * BATCH / math.sqrt(0.2 * 0.05))
    flops_per_sample = 3 * 2 * 668_672
    assert found.samples_per_second is not None
    assert found.fraction_of_peak == pytest.approx(found.samples_per_second * flops_per_sample / 1e12)


def test_a_rate_counts_the_chunks_own_steps() -> None:
    events = [chunk("torch", 0, 0, 0.5, steps=7), chunk("torch", 2, 1, 0.25, steps=1)]
    assert log_rates(events, 64) == pytest.approx({(0, 0): math.log(7 * 64 / 0.5), (2, 1): math.log(64 / 0.25)})


def test_medians_maxima_and_means_over_launches() -> None:
    def closing(launch: int, peak: int) -> Event:
        fields = {"launch": launch, "label": "torch", "peak_bytes": peak, "latency_seconds": []}
        return {"event": "closing", "workload": "mnist_mlp", **fields}

    def accuracy(launch: int, round_: int, correct: int, samples: int) -> Event:
        return {
            "event": "accuracy",
            "workload": "mnist_mlp",
            "launch": launch,
            "round": round_,
            "label": "torch",
            "correct": correct,
            "count": 100,
            "trained_samples": samples,
            "trained_seconds": 1.0,
        }

    imports = [
        {
            "event": "import",
            "launch": launch,
            "label": "torch",
            "import_seconds": seconds,
            "wall_seconds": 2 * seconds,
            "packages": {"Torch": "2.13.0", "numpy": "2.4.6"},
        }
        for launch, seconds in enumerate((9.0, 1.0, 2.0))
    ]
    first_steps = [
        {
            "event": "first_step",
            "workload": "mnist_mlp",
            "launch": launch,
            "label": "torch",
            "build_seconds": build,
            "first_step_seconds": first,
            "compiled_before": before,
            "compiled_after": 7,
        }
        for launch, (build, first, before) in enumerate(((0.1, 5.0, 0), (0.3, 1.0, 7), (0.2, 3.0, 7)))
    ]
    chunks = [
        chunk("torch", 0, 0, 0.1, loss=9.0),
        chunk("torch", 0, 1, 0.1, loss=1.0),
        chunk("torch", 1, 0, 0.1, loss=9.0),
        chunk("torch", 1, 1, 0.1, loss=2.0),
    ]
    accuracies = [accuracy(0, 0, 50, 1000), accuracy(0, 1, 80, 2000), accuracy(1, 1, 60, 2000)]
    closings = [closing(0, 7), closing(1, 5)]
    found = contender_of(*imports, *first_steps, proof("torch"), *chunks, *accuracies, *closings)
    assert (found.import_seconds, found.build_seconds, found.first_step_seconds) == (2.0, 0.2, 3.0)
    assert found.cold_first_steps == 1
    assert first_step_words(found) == "3.0 s, compiled anew in 1 of the launches"
    assert first_step_words(found.model_copy(update={"cold_first_steps": 0})).endswith(
        "all compiled code from the disk"
    )
    assert first_step_words(found.model_copy(update={"cold_first_steps": None})) == "3.0 s"
    assert found.version == "2.13.0"
    assert found.loss == pytest.approx(1.5)
    # The last accuracy of each launch: 80 % and 60 %.
    assert found.accuracy == pytest.approx(0.7)
    assert found.trained_samples == 2000
    assert found.peak_memory_bytes == 7
    assert [a.value for a in found.accuracies] == [0.5, 0.8, 0.6]


@pytest.mark.parametrize("distribution", ["tensorflow_cpu", "TensorFlow-CPU", "tensorflow-cpu"])
def test_a_distributions_name_has_many_spellings(distribution: str) -> None:
    imported = {
        "event": "import",
        "launch": 0,
        "label": "tf",
        "import_seconds": 1.0,
        "wall_seconds": 1.0,
        "packages": {"tensorflow_cpu": "2.21.0"},
    }
    events = (environment("tf", distribution=distribution), data_event(), imported)
    assert result_of(make_plan(["tf"]), *events).results[0].contenders[0].version == "2.21.0"


# Ratios and ties


def test_the_fastest_is_what_the_others_are_compared_with() -> None:
    slow, fast = two_contenders({(i, 0): 0.2 for i in range(3)}, {(i, 0): 0.1 for i in range(3)})
    assert fast.ratio is not None
    assert (fast.ratio.to, fast.ratio.value, fast.ratio.tie) == ("jax", 1.0, False)
    assert slow.ratio is not None
    assert (slow.ratio.to, slow.ratio.tie) == ("jax", False)
    assert (slow.ratio.value, slow.ratio.low, slow.ratio.high) == pytest.approx((0.5, 0.5, 0.5))


def test_an_interval_that_contains_1_is_a_tie() -> None:
    slow, _ = two_contenders({(0, 0): 0.100, (1, 0): 0.125, (2, 0): 0.1}, {(0, 0): 0.1, (1, 0): 0.1, (2, 0): 0.105})
    assert slow.ratio is not None
    assert slow.ratio.low is not None
    assert slow.ratio.high is not None
    assert slow.ratio.low < slow.ratio.value < 1 < slow.ratio.high
    assert slow.ratio.tie


def test_one_launch_has_no_interval_and_is_a_tie() -> None:
    slow, _ = two_contenders({(0, i): 0.2 for i in range(9)}, {(0, i): 0.1 for i in range(9)})
    assert slow.ratio is not None
    assert (slow.ratio.low, slow.ratio.high, slow.ratio.tie) == (None, None, True)
    assert slow.ratio.value == pytest.approx(0.5)


def test_a_drift_common_to_both_does_not_show_in_the_ratio() -> None:
    drift = {(0, 0): 1.0, (0, 1): 1.7, (1, 0): 0.4, (1, 1): 3.0}
    slow, _ = two_contenders({k: 0.2 * d for k, d in drift.items()}, {k: 0.1 * d for k, d in drift.items()})
    assert slow.ratio is not None
    assert (slow.ratio.value, slow.ratio.low, slow.ratio.high) == pytest.approx((0.5, 0.5, 0.5))


def test_without_a_round_in_common_there_is_no_ratio() -> None:
    torch, jax = two_contenders({(0, 0): 0.2}, {(0, 1): 0.1})
    assert torch.ratio is None
    assert jax.ratio is not None
    assert torch.samples_per_second == pytest.approx(10 * BATCH / 0.2)


def four_contenders(luck: float) -> Result:
    """Derive three launches: "b" is 4 % slower than "a", its launches differ by ``luck``; the others are slow."""
    names = {"a": 0.1, "b": 0.104, "c": 0.2, "d": 0.2}
    signs = {"a": (0, 0, 0), "b": (1, -1, 0), "c": (0, 1, -1), "d": (-1, 0, 1)}
    events = [*(environment(name) for name in names), data_event(), *(proof(name) for name in names)]
    for name, seconds in names.items():
        events += [chunk(name, launch, 0, seconds * math.exp(luck * sign)) for launch, sign in enumerate(signs[name])]
    return result_of(make_plan(list(names), launches=3, rounds=1), *events)


def test_of_several_contenders_a_tie_is_judged_for_all_at_once() -> None:
    result = four_contenders(0.012)
    (workload,) = result.results
    _, near, far, _ = (contender.ratio for contender in workload.contenders)
    assert near.low < near.high < 1 < near.simultaneous_high, "by itself it would be slower"
    assert near.simultaneous_low < near.low and near.tie
    assert far.simultaneous_high < 1 and not far.tie
    assert verdict(workload).startswith("a and b tie: the run can't tell which is fastest.")
    words = ratio_meaning(workload, result.protocol)
    assert "with all 4 judged at once" in words and "of this ratio by itself" in words
    assert "what a round does to all taken out" in words
    ties = {row["contender"]: row["tie"] for row in csv.DictReader(to_csv(result).splitlines())}
    assert ties == {"a": "False", "b": "True", "c": "False", "d": "False"}
    assert "judged by wider intervals, which hold for all pairs at once at 95 % confidence" in to_markdown(result)


def test_with_less_luck_the_same_difference_is_none() -> None:
    near = four_contenders(0.001).results[0].contenders[1].ratio
    assert near.simultaneous_high < 1 and not near.tie


def test_of_two_contenders_there_is_no_other_interval() -> None:
    slow, _ = two_contenders({(0, 0): 0.100, (1, 0): 0.125, (2, 0): 0.1}, {(0, 0): 0.1, (1, 0): 0.1, (2, 0): 0.105})
    assert (slow.ratio.simultaneous_low, slow.ratio.simultaneous_high) == (None, None)


def test_a_result_from_before_has_ties_by_its_intervals() -> None:
    kept = Path(__file__).parent / "samples" / "records" / "finished" / "result.json"
    result = Result.model_validate_json(kept.read_text("utf-8"))
    assert result.protocol.first_launches is None
    assert "a tie where that contains 1" in ratio_meaning(result.results[0], result.protocol)


def test_what_is_not_ok_is_not_what_others_are_compared_with() -> None:
    events = [*(environment(label) for label in ("torch", "jax")), data_event(), proof("torch"), proof("jax")]
    events += [chunk("torch", 0, 0, 0.2), chunk("jax", 0, 0, 0.1), failure("jax", "launch 2", "it hung")]
    torch, jax = result_of(make_plan(["torch", "jax"]), *events).results[0].contenders
    assert jax.ratio is None
    assert torch.ratio is not None
    assert torch.ratio.to == "torch"


# The run


def test_a_run_is_complete_at_its_end_and_counts_every_sessions_seconds() -> None:
    plan, head = make_plan(["torch"]), [environment("torch"), data_event()]
    interrupted = {"event": "interrupted", "seconds": 30.0, "reason": "KeyboardInterrupt"}
    assert not result_of(plan, *head).complete
    assert not result_of(plan, *head, interrupted).complete
    resumed = SESSION | {"time": "2025-01-01T00:00:00+00:00"}
    found = result_of(plan, *head, interrupted, resumed, {"event": "end", "seconds": 12.0})
    assert found.complete
    assert found.wall_seconds == 42.0
    assert found.started == SESSION["time"]


def test_a_launch_that_a_resumed_run_set_up_again_does_not_count_its_chunks_twice() -> None:
    """A resumed run sets a launch up again: there are two first steps and two data events, but each chunk once."""
    first_step = {
        "event": "first_step",
        "workload": "mnist_mlp",
        "launch": 0,
        "label": "torch",
        "build_seconds": 0.1,
        "first_step_seconds": 1.0,
    }
    found = contender_of(
        proof("torch"),
        first_step,
        chunk("torch", 0, 0, 0.1),
        SESSION,
        data_event(),
        first_step | {"first_step_seconds": 3.0},
        chunk("torch", 0, 1, 0.1),
    )
    assert [(c.launch, c.round) for c in found.chunks] == [(0, 0), (0, 1)]
    assert found.first_step_seconds == 2.0
    assert found.samples_per_second == pytest.approx(10 * BATCH / 0.1)


def test_the_machine_and_what_else_it_did() -> None:
    def round_(canary: float, busy: float) -> Event:
        return {
            "event": "round",
            "canary_seconds": canary,
            "seconds": 10.0,
            "busy_seconds": busy,
            "host_seconds": 1.0,
            "worker_seconds": 15.0,
        }

    plan, head = make_plan(["torch"]), [environment("torch"), data_event()]
    machine = result_of(plan, *head, round_(1.0, 18.0), round_(math.e, 20.0)).machine
    # 38 s of processor time in 20 s, of which 30 s were the workers' and 2 s the host's.
    assert machine.background_load == pytest.approx(6 / 20)
    assert machine.host_load == pytest.approx(2 / 20)
    assert machine.canary_drift == pytest.approx(math.sqrt(0.5))
    idle = result_of(plan, *head).machine
    assert (idle.background_load, idle.host_load, idle.canary_drift) == (None, None, None)
    assert result_of(plan, *head, round_(1.0, 15.5)).machine.background_load == 0.0


def test_useful_seconds_are_what_a_run_is_for() -> None:
    events = [
        environment("torch"),
        data_event(),
        {"event": "import", "launch": 0, "label": "torch", "import_seconds": 1, "wall_seconds": 2.0, "packages": {}},
        {
            "event": "first_step",
            "workload": "mnist_mlp",
            "launch": 0,
            "label": "torch",
            "build_seconds": 0.5,
            "first_step_seconds": 0.25,
        },
        {"event": "proofs", "workload": "mnist_mlp", "seconds": 4.0},
        chunk("torch", 0, 0, 0.1),
        chunk("torch", 0, 1, 0.2),
    ]
    assert result_of(make_plan(["torch"]), *events).useful_seconds == pytest.approx(2.0 + 0.75 + 4.0 + 0.3)


def test_replicas_are_held_against_one_network_beside_them() -> None:
    plan = make_plan(["torch", "torch@4xcpu", "jax@2xcuda"])
    places = {"torch@4xcpu": ("torch", 4, "cpu"), "jax@2xcuda": ("jax@cuda", 2, "cuda")}
    events = [data_event(), environment("torch", one="torch", replicas=1, device="cpu")]
    for label, (one, replicas, device) in places.items():
        events.append(environment(label, one=one, replicas=replicas, device=device))
    for launch in range(2):
        for round_ in range(2):
            slowness = 1 + 0.1 * round_ + 0.3 * launch
            events += [
                chunk(label, launch, round_, seconds * slowness)
                for label, seconds in (("torch", 1.0), ("torch@4xcpu", 1.25), ("jax@2xcuda", 0.5))
            ]
    (workload,) = result_of(plan, *events, *(proof(label) for label in plan.contenders)).results
    found = {contender.name: contender.scaling for contender in workload.contenders}
    assert found["torch"] is None
    assert found["jax@2xcuda"] is None, "no single network of it was measured"
    scaling = found["torch@4xcpu"]
    assert scaling is not None and (scaling.replicas, scaling.virtual, scaling.speedup.to) == (4, True, "torch")
    assert scaling.speedup.value == pytest.approx(0.8) and scaling.efficiency == pytest.approx(0.2)
    words = " ".join(scaling_words(workload))
    assert words.startswith("Strong scaling: the replicas share the batch of 128")
    assert "torch@4xcpu: 0.80× (0.80–0.80) the speed of torch, efficiency 20 % of 4 virtual replicas" in words


def test_in_weak_scaling_a_step_has_more_samples() -> None:
    plan = make_plan(["torch", "torch@4xcpu"], weak=True)
    place = {"one": "torch", "replicas": 4, "device": "cpu"}
    events = [data_event(), environment("torch"), environment("torch@4xcpu", **place)]
    for launch in range(2):
        events += [chunk("torch", launch, 0, 1.0), chunk("torch@4xcpu", launch, 0, 5.0, samples=4 * 10 * BATCH)]
    (workload,) = result_of(plan, *events, *(proof(label) for label in plan.contenders)).results
    scaling = {contender.name: contender.scaling for contender in workload.contenders}["torch@4xcpu"]
    assert scaling is not None and scaling.weak and scaling.efficiency == pytest.approx(0.2)
    assert scaling_words(workload)[0] == f"Weak scaling: each replica has a batch of {BATCH} of its own."


def gpu_run(precision: str = "float32", peak: float | None = 60e12) -> Result:
    gpu = {"uuid": "GPU-1", "name": "NVIDIA H100 80GB HBM3", "memory_bytes": 80 * 2**30, "peak_flops": peak}
    where = {"device": "cuda", "replicas": 1, "precision": precision, "one": "torch@cuda"}
    closing = {"event": "closing", "workload": "mnist_mlp", "label": "torch@cuda"} | {
        "peak_bytes": 2**30,
        "latency_seconds": [],
    }
    events = [
        SESSION,
        {**MACHINE, "device": "cuda", "gpus": [gpu]},
        data_event(),
        environment("torch@cuda", **where),
        proof("torch@cuda"),
        *(chunk("torch@cuda", launch, round_, 0.1, joules=12.8) for launch in (0, 1) for round_ in (0, 1)),
        *({**closing, "launch": launch, "gpu_bytes": size} for launch, size in ((0, None), (1, 3 * 2**30))),
    ]
    return derive(make_plan(["torch@cuda"]), "run", events)


def test_a_gpu_has_a_peak_memory_and_energy_of_its_own() -> None:
    result = gpu_run()
    (workload,) = result.results
    (found,) = workload.contenders
    assert "NVIDIA H100 80GB HBM3 (80 GiB, 60 TFLOP/s float32 at most)" in machine_words(result.machine)
    assert found.fraction_of_peak == pytest.approx(12_800 * workload.flops_per_sample / 60e12)
    assert found.gpu_memory_bytes == 3 * 2**30 and found.joules_per_sample == pytest.approx(0.01)
    assert [column.header for column in shown(workload, "page") if column.rare] == ["GPU memory", "energy"]
    text = to_markdown(result)
    assert "GPU memory GiB | energy J/1,000" in text and "3.00 | 10.0 |" in text
    assert ",3221225472,0.01," in to_csv(result)


@pytest.mark.parametrize(("precision", "peak"), [("TF32", 60e12), ("float32", None)])
def test_no_share_is_told_where_the_peak_is_not_known(precision: str, peak: float | None) -> None:
    (found,) = gpu_run(precision, peak).results[0].contenders
    assert found.samples_per_second and found.fraction_of_peak is None
