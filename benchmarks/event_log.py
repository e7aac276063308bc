"""Times how long a run of 100,000 chunks takes to load and report; bound: 5 s.

    python benchmarks/event_log.py [--chunks 100000]

It writes the directory of a run of the six default contenders on both workloads, with the scheduler's events, and then
reads the events, derives the result and writes ``result.json`` and ``report.html``, as ``rosetta report`` does. The
whole command is timed too, with the start of Python. Exit status 1 if reporting takes longer than the bound.
"""

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rosetta.contenders.contender import DEFAULT_SET, parse_contenders, read_set
from rosetta.contenders.manifest import frameworks
from rosetta.record.code import code_of
from rosetta.record.events import read_events
from rosetta.record.plan import Plan
from rosetta.report.page import render_page
from rosetta.report.run_result import read_result
from rosetta.report.write import write_report
from rosetta.workloads import find_workload, workloads

BOUND = 5.0
ROUNDS = 80
CHUNK_SECONDS = 0.1


def events(plan: Plan, chunks: int) -> Iterator[dict[str, Any]]:
    """Yield the events of a run with ``chunks`` chunks, every field as the scheduler writes it; seconds are drawn."""
    rng = random.Random(plan.seed)
    contenders = parse_contenders(plan.contenders, frameworks())
    names = plan.contenders
    yield {"event": "session", "time": "2026-01-01T00:00:00+00:00", "pid": 1}
    yield {
        "event": "machine", "platform": "Linux", "cpu": "none", "cores": 2, "memory_bytes": 2**34, "device": "cpu",
        "matmul_flops": 3.5e11, "copy_bytes_per_second": 3.2e10,
    }  # fmt: skip
    yield {"event": "environments", "seconds": 1.0}
    for workload in plan.workloads:
        yield {
            "event": "data", "workload": workload, "kind": "synthetic", "classes": 10, "epoch_samples": 1000,
            "seconds": 0.1,
        }  # fmt: skip
    for contender in contenders:
        yield {
            "event": "environment", "label": contender.name, "worker": contender.name,
            "framework": contender.framework.name, "distribution": contender.framework.distribution,
            "precision": contender.precision, "reason": "", "notes": {}, "measures": True,
        }  # fmt: skip
    left = chunks
    for launch in range(plan.launches):
        for workload in plan.workloads:
            batch_size = find_workload(workload).batch_size
            if launch == 0:
                for name in names:
                    yield {"event": "proof", "workload": workload, "label": name, "seconds": 5.0, **proof()}
                yield {"event": "proofs", "workload": workload, "seconds": 20.0}
            steps = {name: rng.randint(2, 200) for name in names}
            for name in names:
                if workload == plan.workloads[0]:
                    yield {
                        "event": "import", "launch": launch, "label": name, "import_seconds": rng.uniform(2, 6),
                        "wall_seconds": 6.5, "packages": {f"package-{i}": "1.2.3" for i in range(40)},
                    }  # fmt: skip
                yield {
                    "event": "first_step", "workload": workload, "launch": launch, "label": name,
                    "build_seconds": 0.1, "first_step_seconds": rng.uniform(0.1, 5),
                }  # fmt: skip
                yield {
                    "event": "warm", "workload": workload, "launch": launch, "worker": name,
                    "chunk_steps": steps[name], "lead_in": 1, "trained_samples": 10 * batch_size,
                    "trained_seconds": 0.5,
                }  # fmt: skip
            for round_ in range(plan.rounds):
                order = rng.sample(names, len(names))
                for name in order[:left]:
                    trained = 10 + (round_ + 1) * (steps[name] + 1)
                    yield {
                        "event": "chunk", "workload": workload, "launch": launch, "round": round_, "label": name,
                        "steps": steps[name], "seconds": CHUNK_SECONDS * math.exp(rng.gauss(0, 0.1)),
                        "loss": 2.3 * math.exp(-trained / 1000) * math.exp(rng.gauss(0, 0.1)),
                        "trained_samples": trained * batch_size, "trained_seconds": 0.5 + round_ * CHUNK_SECONDS,
                    }  # fmt: skip
                left -= len(order[:left])
                yield {
                    "event": "round", "canary_seconds": 0.001 * math.exp(rng.gauss(0, 0.05)), "seconds": 0.7,
                    "busy_seconds": 1.3, "host_seconds": 0.005, "worker_seconds": 1.2,
                }  # fmt: skip
            for name in names:
                yield {
                    "event": "accuracy", "workload": workload, "launch": launch, "label": name, "correct": 900,
                    "count": 1000, "peak_bytes": 2**29, "trained_samples": 10**6, "trained_seconds": 9.0,
                }  # fmt: skip
        yield {"event": "launch", "launch": launch}
    yield {"event": "end", "seconds": 1.3 * CHUNK_SECONDS * chunks}


def proof() -> dict[str, Any]:
    """Make a passed proof's fields."""
    check = {"error": 1e-6, "tolerance": 1e-5, "tensor": "dense1.weight"}
    drop = {"tensor": "dense1.weight", "distance": 1.9, "expected": 1.95, "sd": 0.06, "passed": True}
    checks = {"logits": check, "loss": check, "gradients": check, "update": check, "dropout": drop}
    return {"passed": True, "equivalence": {"passed": True, **checks, "deviation": ""}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    chunks = parser.parse_args().chunks
    names, contenders = list(workloads()), read_set(DEFAULT_SET, frameworks())
    plan = Plan(
        workloads=names,
        contenders=contenders,
        preset="full",
        launches=math.ceil(chunks / (ROUNDS * len(names) * len(contenders))),
        rounds=ROUNDS,
        epochs=False,
        test_samples=1000,
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        plan.write(folder / "plan.json")
        with (folder / "events.jsonl").open("w") as file:
            for event in events(plan, chunks):
                file.write(json.dumps(event, separators=(",", ":")) + "\n")

        start = time.perf_counter()
        result = write_report(folder)
        seconds = time.perf_counter() - start
        counted = sum(len(contender.chunks) for workload in result.results for contender in workload.contenders)

        start = time.perf_counter()
        read_events(folder / "events.jsonl")
        reading = time.perf_counter() - start
        start = time.perf_counter()
        read_result(folder)
        deriving = time.perf_counter() - start - reading
        start = time.perf_counter()
        render_page(result, code_of(plan))
        rendering = time.perf_counter() - start

        start = time.perf_counter()
        command = [sys.executable, "-c", "from rosetta.cli.app import main; main()", "report", str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        whole = time.perf_counter() - start
        sizes = ", ".join(f"{f.name} {f.stat().st_size / 2**20:.1f} MiB" for f in sorted(folder.glob("*.*")))
    print(f"{counted:,} chunks: {sizes}")
    print(f"load and report: {seconds:.2f} s, bound {BOUND:.0f} s: {'yes' if seconds <= BOUND else 'no'}")
    rest = seconds - reading - deriving - rendering
    print(f"  read {reading:.2f} s, derive {deriving:.2f} s, page {rendering:.2f} s, result.json and rest {rest:.2f} s")
    print(f"rosetta report, the whole command: {whole:.2f} s")
    sys.exit(0 if seconds <= BOUND and counted == chunks else 1)


if __name__ == "__main__":
    main()
