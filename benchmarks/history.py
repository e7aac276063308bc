"""Measures a history of many runs: how long it takes to make it, how large it is, how long queries over all of it take.

    python benchmarks/history.py --runs 10000

Runs are made up: four contenders, four launches of two rounds, a release a month. They are written as run directories,
added as any run is, and asked several times over by queries that read every row. Medians are printed. Exit status 1
if a query that sums up takes longer than the bound of a second.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rosetta.history.add import add_to_history
from rosetta.history.query import ask_history
from rosetta.history.rows import run_rows
from rosetta.record.plan import PlanRecord

BOUND = 1.0
CONTENDERS = ("torch", "torch[compile]", "jax", "tensorflow")
LAUNCHES, ROUNDS = 4, 2
PACKAGES = 40
EVERY = "every row, as Python's objects"
QUERIES = {
    "speed by contender, version and machine": """
        SELECT variant, version, machine, count(DISTINCT run), median(samples_per_second), quantile_cont(seconds, 0.9)
        FROM history WHERE proof = 'the same' GROUP BY ALL ORDER BY ALL""",
    "the slowest launch of each run": """
        SELECT run, contender, min(samples_per_second), max(peak_memory_bytes) FROM history GROUP BY ALL""",
    "a month's change of the first step": """
        SELECT variant, date_trunc('month', started) AS month, median(first_step_seconds) AS median,
               median / lag(median) OVER (PARTITION BY variant ORDER BY month) AS change
        FROM history GROUP BY variant, month ORDER BY ALL""",
    EVERY: "SELECT * FROM history",
}


def events(number: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Make up the events of a run."""
    began = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=6 * number)
    version = f"2.{number // 120}.0"
    yield {"event": "session", "time": began.isoformat(timespec="seconds"), "pid": number, "host": f"{number:032x}"}
    machine = {"platform": "Linux", "cpu": f"processor {number % 3}", "cores": 2, "memory_bytes": 2**34}
    yield {"event": "machine", **machine, "device": "cpu", "matmul_flops": 1e11, "copy_bytes_per_second": 1e10}
    told = {"kind": "real", "classes": 10, "epoch_samples": 59_904, "seconds": 0.1}
    yield {"event": "data", "workload": "mnist_mlp", **told}
    limit = {"error": 1e-7, "tolerance": 1e-5, "tensor": "logits"}
    proof = {"passed": True, "logits": limit, "loss": limit, "gradients": limit, "update": limit}
    packages = {f"package-{place}": version for place in range(PACKAGES)}
    for label in CONTENDERS:
        framework = label.partition("[")[0]
        of_it = {"label": label, "worker": label, "framework": framework, "distribution": framework}
        yield {"event": "environment", **of_it, "precision": "float32", "reason": "", "notes": {}, "measures": True}
        yield {"event": "proof", "workload": "mnist_mlp", "label": label, "passed": True, "equivalence": proof}
        for launch in range(LAUNCHES):
            of = {"launch": launch, "label": label}
            there = packages | {framework: version}
            yield {"event": "import", **of, "import_seconds": 1.0, "wall_seconds": 1.1, "packages": there}
            first = {"build_seconds": 0.1, "first_step_seconds": rng.lognormvariate(-1, 0.1)}
            yield {"event": "first_step", "workload": "mnist_mlp", **of, **first}
            for round_ in range(ROUNDS):
                told = {"round": round_, "steps": 10, "seconds": rng.lognormvariate(-2, 0.1), "loss": 0.5}
                trained = {"trained_samples": 1280, "trained_seconds": 1.0}
                yield {"event": "chunk", "workload": "mnist_mlp", **of, **told, **trained}
            size = {"peak_bytes": rng.randrange(2**29, 2**30), "latency_seconds": []}
            yield {"event": "closing", "workload": "mnist_mlp", **of, **size}
    yield {"event": "end", "seconds": 100.0}


def make_runs(folder: Path, count: int) -> list[Path]:
    """Write so many runs' directories."""
    rng = random.Random(1)
    plan = PlanRecord(
        workloads=["mnist_mlp"],
        contenders=list(CONTENDERS),
        preset="quick",
        launches=LAUNCHES,
        rounds=ROUNDS,
        test_samples=0,
        affinity=[0, 1],
    ).model_dump_json(by_alias=True)
    found = []
    for number in range(count):
        run = folder / f"{number:06}"
        run.mkdir()
        (run / "plan.json").write_text(plan)
        text = "".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events(number, rng))
        (run / "events.jsonl").write_text(text)
        found.append(run)
    return found


def main() -> None:
    """Make the runs, add them, ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=7, help="how often each query is asked")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rosetta-history-") as name:
        folder = Path(name)
        runs, history = make_runs(folder, given.runs), folder / "history.duckdb"
        start = time.perf_counter()
        run_rows(runs[0])
        print(f"first run read  {time.perf_counter() - start:.3f} s")
        start = time.perf_counter()
        added = add_to_history(runs, history)
        seconds = time.perf_counter() - start
        assert len(added.new) == given.runs and not added.refused
        print(f"added  {len(added.new):,} runs in {seconds:.1f} s, {1000 * seconds / len(runs):.1f} ms a run")
        start = time.perf_counter()
        again = add_to_history(runs[-1000:], history)
        assert not again.new and not again.updated
        print(f"added again  1,000 of them in {time.perf_counter() - start:.1f} s, nothing changed")
        rows = ask_history("SELECT count(*) AS rows FROM history", history=history)[0]["rows"]
        print(f"file  {history.stat().st_size / 2**20:.1f} MiB, {rows:,} rows")
        longest = 0.0
        for words, sql in QUERIES.items():
            taken = []
            for _ in range(given.times):
                start = time.perf_counter()
                found = ask_history(sql, history=history)
                taken.append(time.perf_counter() - start)
            print(f"query  {statistics.median(taken):.3f} s ({len(found):,} rows): {words}")
            longest = max(longest, statistics.median(taken) if words != EVERY else 0.0)
    if longest > BOUND:
        sys.exit(1)


if __name__ == "__main__":
    main()
