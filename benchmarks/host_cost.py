"""Prints what Rosetta itself costs: the host's share of a core, wall over useful time, environment builds.

    python benchmarks/host_cost.py RUN              the figures of a finished run's directory
    python benchmarks/host_cost.py --environments   builds the environments of the default run anew and times it

Of a run it prints the host's processor time while chunks run (bound: 2 % of one core, over the run), and the wall time
over the useful time: in workers' chunks, imports, builds, first steps and proofs (bound: 1.4, for the default run).
The parts of both are printed too.

``--environments`` builds into a temporary ROSETTA_CACHE, twice: the first time fills uv's package cache where it lacks
something, the second time is with a warm one (bound: 60 s). Exit status 1 if a bound is missed.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rosetta.benchmark.arms import BUILDERS_AT_ONCE
from rosetta.contenders.contender import DEFAULT_SET, parse_contenders, read_set
from rosetta.contenders.manifest import frameworks
from rosetta.environments.build import build
from rosetta.errors import RosettaError
from rosetta.paths import cache_folder
from rosetta.record.events import Event, read_events
from rosetta.report.run_result import read_result

HOST_SHARE, WALL_RATIO, BUILD_SECONDS = 0.02, 1.4, 60.0


def figures(folder: Path, console: Console) -> bool:
    """Print the figures of a run; return whether they are within their bounds."""
    result, events = read_result(folder), read_events(folder / "events.jsonl")
    rounds = [event for event in events if event["event"] == "round" and event["seconds"]]
    if not rounds or not result.complete:
        raise RosettaError(f"{folder} is not a finished run with chunks.")
    shares = sorted(event["host_seconds"] / event["seconds"] for event in rounds)
    share = sum(event["host_seconds"] for event in rounds) / sum(event["seconds"] for event in rounds)
    ratio = result.wall_seconds / result.useful_seconds

    table = Table("measured", "value", "bound", "within", title=str(folder), title_justify="left")
    table.add_row("host, of one core, while chunks run", f"{share:.2%}", f"≤ {HOST_SHARE:.0%}", word(share, HOST_SHARE))
    table.add_row("  of a round: median, largest", f"{statistics.median(shares):.2%}, {shares[-1]:.2%}")
    table.add_row("wall / useful time", f"{ratio:.2f}", f"≤ {WALL_RATIO}", word(ratio, WALL_RATIO))
    table.add_section()
    useful = {
        "chunks": total(events, "chunk", "seconds"),
        "imports": total(events, "import", "wall_seconds"),
        "builds and first steps": total(events, "first_step", "build_seconds", "first_step_seconds"),
        "proofs, the reference's included": total(events, "proofs", "seconds"),
    }
    other = {
        "environments": total(events, "environments", "seconds"),
        "data": total(events, "data", "seconds"),
        "warm-up": total(events, "warm", "trained_seconds")
        - total(events, "first_step", "first_step_seconds")
        + total(events, "warm_up", "wall_seconds"),
        "in rounds, outside the clock": total(events, "round", "seconds") - useful["chunks"],
    }
    other["other"] = result.wall_seconds - sum(useful.values()) - sum(other.values())
    for kind, parts in (("useful", useful), ("not useful", other)):
        table.add_row(kind, f"{sum(parts.values()):.1f} s")
        for name, seconds in parts.items():
            table.add_row(f"  {name}", f"{seconds:.1f} s")
    console.print(table)
    return share <= HOST_SHARE and ratio <= WALL_RATIO


def total(events: Sequence[Event], kind: str, *fields: str) -> float:
    """Sum fields over the events of a kind."""
    return float(sum(event[field] for event in events if event["event"] == kind for field in fields))


def build_all() -> float:
    """Build the environments of the default run into a fresh ROSETTA_CACHE; return the seconds that took."""
    known = frameworks()
    contenders = parse_contenders([*read_set(DEFAULT_SET, known), "numpy"], known)
    usual = cache_folder()
    usual.mkdir(parents=True, exist_ok=True)
    # Within the usual cache, for uv links files where it can, and it can't between two file systems.
    with tempfile.TemporaryDirectory(dir=usual, prefix="benchmark-") as folder:
        previous = os.environ.get("ROSETTA_CACHE")
        os.environ["ROSETTA_CACHE"] = folder
        try:
            start = time.perf_counter()
            with ThreadPoolExecutor(BUILDERS_AT_ONCE) as pool:
                list(pool.map(build, contenders))
            return time.perf_counter() - start
        finally:
            if previous is None:
                del os.environ["ROSETTA_CACHE"]
            else:
                os.environ["ROSETTA_CACHE"] = previous


def word(value: float, bound: float) -> str:
    return "yes" if value <= bound else "no"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("run", type=Path, nargs="?", metavar="RUN")
    what.add_argument("--environments", action="store_true")
    options = parser.parse_args()
    console = Console()
    if options.run:
        try:
            sys.exit(0 if figures(options.run, console) else 1)
        except RosettaError as error:
            sys.exit(str(error))
    console.print(f"environments, package cache as found: {build_all():.1f} s")
    warm = build_all()
    console.print(f"environments, package cache warm: {warm:.1f} s, bound {BUILD_SECONDS:.0f} s")
    sys.exit(0 if warm <= BUILD_SECONDS else 1)


if __name__ == "__main__":
    main()
