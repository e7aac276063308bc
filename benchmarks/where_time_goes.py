"""Prints where the time of a run went, stage by stage, and what of it was not measuring.

    python benchmarks/where_time_goes.py RUN [RUN]...     directories of runs, also of some that are under way

What no stage accounts for (reading the data's files, drawing, writing the page) stands as "other". Logs of versions
that timed fewer stages have more of that.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rosetta.errors import RosettaError
from rosetta.record.events import Event, read_events
from rosetta.record.stages import stages


def wall_seconds(events: list[Event]) -> float | None:
    """Return how long a run took in all its sessions; None where one of them hasn't said."""
    ends = [event["seconds"] for event in events if event["event"] in ("end", "interrupted")]
    sessions = sum(event["event"] == "session" for event in events)
    return sum(ends) if len(ends) == sessions else None


def table(folder: Path) -> Table:
    """Show the stages of one run."""
    events = read_events(folder / "events.jsonl")
    found, wall = stages(events), wall_seconds(events)
    whole = wall if wall is not None else sum(found.values())
    shown = Table("stage", "seconds", "of all", title=str(folder), title_justify="left")
    for name, seconds in found.items():
        shown.add_row(name, f"{seconds:.1f}", f"{seconds / whole:.0%}")
    if wall is not None:
        other = wall - sum(found.values())
        shown.add_row("other", f"{other:.1f}", f"{other / whole:.0%}")
    shown.add_section()
    shown.add_row("the run", f"{whole:.1f}" if wall is not None else f"{whole:.1f} so far")
    for event in events:
        if event["event"] == "rounds":
            rounds = [e for e in events if e["event"] == "round" and e.get("workload") == event["workload"]]
            took = sum(e["wall_seconds"] for e in rounds) / len(rounds) if rounds else float("nan")
            expected = f"expected {event['round_seconds']:.2f} s each, took {took:.2f}"
            shown.add_row(f"rounds of {event['workload']}", str(event["rounds"]), expected)
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="+", metavar="RUN")
    console = Console()
    try:
        for folder in parser.parse_args().run:
            console.print(table(folder))
    except RosettaError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
