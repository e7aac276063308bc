"""Plants faults into copies of frameworks' folders, one at a time, and writes which checks catch them, by how much.

    python benchmarks/faults.py [--only REGEX] [--out docs/results/faults.md]

The catalogue is benchmarks/planted. Every cell of contender and workload is tried without a fault first. A fault is
proven by ``rosetta verify``, one of the process that is timed by ``rosetta run --preset smoke``. ``--only`` takes those
whose name, e.g. ``torch/mnist_mlp/rho``, has the pattern in it. What was found is kept beside the table, in a file of
JSON lines, under a digest of the fault and of Rosetta's source: what is there already isn't tried again. Exit status 1
where a fault passes without a reason why it can't matter, a correct copy is less than a factor 3 below a tolerance, or
a copy doesn't run.
"""

import argparse
import re
import shlex
import sys
import time
from pathlib import Path

from planted import FAULTS
from planted.fault import Fault, source_digest
from planted.outcome import Outcome, try_copy
from planted.table import cell_id, is_right, to_markdown


def read_outcomes(file: Path) -> dict[str, Outcome]:
    """Return what was found before, by key; the line that an interruption cut short is left out."""
    lines = file.read_text("utf-8").splitlines(keepends=True) if file.exists() else []
    found = (Outcome.model_validate_json(line) for line in lines if line.endswith("\n"))
    return {outcome.key: outcome for outcome in found}


def in_words(outcome: Outcome) -> str:
    """Say in a line what became of a copy."""
    if outcome.verdict == "passes":
        largest = outcome.largest
        return f"passes, {largest.check} at {largest.size:.2g} of its tolerance" if largest else "passes"
    if outcome.verdict == "caught" and outcome.failing:
        return "caught by " + ", ".join(f"{m.check} × {m.size:.2g}" for m in outcome.failing)
    return f"{outcome.verdict}: {outcome.reason[:200]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="a regular expression")
    parser.add_argument("--out", type=Path, default=Path("docs/results/faults.md"))
    options = parser.parse_args()
    store = options.out.with_suffix(".jsonl")
    known, source = read_outcomes(store), source_digest()
    correct = list(dict.fromkeys(fault.correct for fault in FAULTS))
    chosen = [fault for fault in FAULTS if re.search(options.only, fault.id)]
    if not chosen:
        sys.exit(f"No fault has '{options.only}' in its name.")
    # Cell by cell, each begun by its correct copy.
    cells = list(dict.fromkeys(fault.correct for fault in chosen))
    wanted: list[Fault] = [one for cell in cells for one in (cell, *(f for f in chosen if f.correct == cell))]
    missing = [fault for fault in wanted if fault.key(source) not in known]
    begun, wrong = time.perf_counter(), []
    for index, fault in enumerate(missing):
        outcome = try_copy(fault, fault.key(source))
        known[outcome.key] = outcome
        store.parent.mkdir(parents=True, exist_ok=True)
        with store.open("a", encoding="utf-8") as file:
            file.write(outcome.model_dump_json() + "\n")
        left = (time.perf_counter() - begun) / (index + 1) * (len(missing) - index - 1)
        said = f"{in_words(outcome)} ({outcome.seconds:.0f} s; about {left / 60:.0f} min left)"
        print(f"[{index + 1}/{len(missing)}] {fault.id}: {said}", file=sys.stderr, flush=True)
    named = {fault.id: known[fault.key(source)] for fault in FAULTS if fault.key(source) in known}
    named |= {cell_id(cell): known[cell.key(source)] for cell in correct if cell.key(source) in known}
    command = "python benchmarks/faults.py" + (f" --only {shlex.quote(options.only)}" if options.only else "")
    options.out.write_text(to_markdown(FAULTS, correct, named, command), "utf-8")
    for fault in wanted:
        if not is_right(fault, known[fault.key(source)]):
            wrong.append(f"{fault.id}: {in_words(known[fault.key(source)])}")
    if wrong:
        sys.exit("Not as it should be:\n  " + "\n  ".join(wrong))


if __name__ == "__main__":
    main()
