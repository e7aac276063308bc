"""Plants faults into ports of three networks in four frameworks, and writes what ``rosetta check`` says of each.

    python benchmarks/planted_ports.py [--only REGEX] [--out docs/results/planted_ports.md]

The catalogue is benchmarks/ported: 60 faults, and 20 rewrites that change nothing. What was found is kept beside the
table, in a file of JSON lines, under a digest of the change and of Rosetta's source: what is there already isn't tried
again. Exit status 1 unless every fault is called not the same, the first sub-module that differs is right in 90 % and
the cause in 70 %, no cause is wrong, and every rewrite is called the same.
"""

import argparse
import contextlib
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from planted.fault import source_digest
from ported import FAULTS, REWRITES
from ported.change import Change
from ported.outcome import Outcome, key_of, try_changes
from ported.table import failings, to_markdown

from rosetta.models.own_session import Workers


def read_outcomes(file: Path) -> dict[str, Outcome]:
    """Return what was found before, by key; the line that an interruption cut short is left out."""
    lines = file.read_text("utf-8").splitlines(keepends=True) if file.exists() else []
    found = (Outcome.model_validate_json(line) for line in lines if line.endswith("\n"))
    return {outcome.key: outcome for outcome in found}


def groups_of(changes: Sequence[Change]) -> list[list[Change]]:
    """Return those of one network and framework together, as one check takes them."""
    found: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        found.setdefault((change.framework, change.network), []).append(change)
    return list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="a regular expression")
    parser.add_argument("--out", type=Path, default=Path("docs/results/planted_ports.md"))
    options = parser.parse_args()
    store, source = options.out.with_suffix(".jsonl"), source_digest()
    chosen = [change for change in (*FAULTS, *REWRITES) if re.search(options.only, change.id)]
    if not chosen:
        sys.exit(f"No change has '{options.only}' in its name.")
    known = read_outcomes(store)
    missing = [change for change in chosen if key_of(change, source) not in known]
    done = 0
    with contextlib.closing(Workers()) as workers:
        for group in groups_of(missing):
            begun = time.perf_counter()
            for outcome in try_changes(group, source, workers):
                outcome.seconds = (time.perf_counter() - begun) / len(group)
                known[outcome.key] = outcome
                done += 1
                with store.open("a", encoding="utf-8") as file:
                    file.write(outcome.model_dump_json() + "\n")
                said = outcome.failure or f"{outcome.verdict}; {outcome.at or 'nowhere'}; {outcome.cause or 'no cause'}"
                print(
                    f"[{done}/{len(missing)}] {outcome.id}: {said} ({outcome.seconds:.0f} s)",
                    file=sys.stderr,
                    flush=True,
                )
    found = {change.id: known[key] for change in chosen if (key := key_of(change, source)) in known}
    options.out.write_text(to_markdown(found), "utf-8")
    if wrong := failings(found):
        sys.exit("Not as it should be:\n  " + "\n  ".join(wrong))


if __name__ == "__main__":
    main()
