"""Hand-made events and plans, for the tests that derive results from them."""

from collections.abc import Sequence
from typing import Any

from rosetta.record.events import Event
from rosetta.record.plan import Plan, PlanRecord

SESSION: Event = {"event": "session", "time": "2024-05-06T07:08:09+00:00", "pid": 1}
MACHINE: Event = {
    "event": "machine",
    "platform": "Linux",
    "cpu": "a processor",
    "cores": 2,
    "memory_bytes": 2**33,
    "device": "cpu",
    "matmul_flops": 1e12,
    "copy_bytes_per_second": 1e10,
}
ENVIRONMENT: Event = {
    "event": "environment",
    "label": "torch",
    "worker": "torch",
    "framework": "torch",
    "distribution": "torch",
    "precision": "float32",
    "reason": "",
    "notes": {},
    "measures": True,
}


def make_plan(contenders: Sequence[str], launches: int = 2, rounds: int = 2, **more: Any) -> Plan:
    """Plan a run of mnist_mlp, whose batches have 128 samples."""
    fields = {"workloads": ["mnist_mlp"], "preset": "quick", "test_samples": 100, "affinity": [0, 1], **more}
    return Plan.recorded(PlanRecord(contenders=list(contenders), launches=launches, rounds=rounds, **fields))


def environment(label: str, **more: Any) -> Event:
    """Make the event that gives the result a line."""
    return {**ENVIRONMENT, "label": label, "worker": label, "framework": label, "distribution": label, **more}


def data_event(workload: str = "mnist_mlp") -> Event:
    """Make the event that names a workload's data."""
    return {
        "event": "data",
        "workload": workload,
        "kind": "synthetic",
        "classes": 10,
        "epoch_samples": 59_904,
        "seconds": 0.5,
    }


def chunk(label: str, launch: int, round_: int, seconds: float, **more: Any) -> Event:
    """Make a chunk of 10 steps."""
    return {
        "event": "chunk",
        "workload": "mnist_mlp",
        "launch": launch,
        "round": round_,
        "label": label,
        "steps": 10,
        "seconds": seconds,
        "loss": 0.5,
        "trained_samples": 1280,
        "trained_seconds": 1.0,
        **more,
    }


def check(error: float | None = 1e-7, tolerance: float = 1e-5, tensor: str = "logits") -> dict[str, Any]:
    """Make one check of a proof."""
    return {"error": error, "tolerance": tolerance, "tensor": tensor}


def proof(label: str, passed: bool = True, **checks: Any) -> Event:
    """Make the event of a proof; ``checks`` takes the place of those that went well."""
    dropout = {"tensor": "dense1.weight", "distance": 1.0, "expected": 1.01, "sd": 0.02, "passed": True}
    equivalence = {
        "passed": passed,
        "logits": check(),
        "loss": check(tensor="loss"),
        "gradients": check(1e-6, 1e-4, "dense1.weight"),
        "update": check(1e-5, 1e-3, "dense1.weight"),
        "dropout": dropout,
        **checks,
    }
    return {
        "event": "proof",
        "workload": "mnist_mlp",
        "label": label,
        "passed": passed,
        "equivalence": equivalence,
        "seconds": 1.0,
    }
