"""Prints what Rosetta itself costs: the host's share of a core, wall over useful time, environment builds.

    python benchmarks/host_cost.py RUN              the figures of a finished run's directory
    python benchmarks/host_cost.py --environments   builds the environments of the default run anew and times it

Of a run it prints the host's processor time while chunks run (bound: 2 % of one core, over the run), and the wall time
over the time in workers' chunks, imports, builds, first steps and proofs (bound: 1.4, for the default run with its
environments built and its reference cached; the parts that make up the difference are printed too).

``--environments`` builds into a temporary ROSETTA_CACHE, twice: the first time fills uv's package cache where it lacks
something, the second time is with a warm one (bound: 60 s). Exit status 1 if a bound is missed.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rosetta.contenders import DEFAULT_CONTENDERS, frameworks, parse_contenders
from rosetta.environments import build
from rosetta.errors import RosettaError
from rosetta.paths import cache_folder
from rosetta.run import BUILDERS_AT_ONCE, read_result
from rosetta.run_log import read_events

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
    table.add_row("  wall", f"{result.wall_seconds:.1f} s")
    table.add_row("  useful", f"{result.useful_seconds:.1f} s")
    for kind in ("environments", "data", "reference"):
        seconds = sum(event["seconds"] for event in events if event["event"] == kind)
        table.add_row(f"  {kind}", f"{seconds:.1f} s")
    chunks = sum(event["seconds"] for event in events if event["event"] == "chunk")
    in_rounds = sum(event["seconds"] for event in rounds)
    table.add_row("  in rounds, outside the clock (batches, lead-in)", f"{in_rounds - chunks:.1f} s")
    console.print(table)
    return share <= HOST_SHARE and ratio <= WALL_RATIO


def build_all() -> float:
    """Build the environments of the default run into a fresh ROSETTA_CACHE; return the seconds that took."""
    known = frameworks()
    contenders = parse_contenders([*DEFAULT_CONTENDERS, "numpy"], known)
    usual = cache_folder()
    usual.mkdir(parents=True, exist_ok=True)
    # Beside the usual cache, for uv links instead of copying where the file system is its own cache's.
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
