"""Translates torchvision's classification models into JAX, and writes a table of what came of it.

    python benchmarks/translation.py [--only REGEX] [--seconds N] [--out docs/results/translation.md]

Each is what ``rosetta translate`` is given: random parameters, small images, two samples. What was found is kept beside
the table, in a file of JSON lines: what is there already isn't tried again, unless ``--again`` is said.
"""

import argparse
import re
import tempfile
import time
from pathlib import Path

from pydantic import BaseModel

import rosetta
from rosetta.errors import RosettaError
from rosetta.record.check import PortCheck

_MODELS = Path(__file__).parent / "translated" / "torchvision_models.py"
NAMES = _MODELS.with_suffix(".txt").read_text("utf-8").split()
"""torchvision 0.28's, by ``list_models(module=torchvision.models)``."""
_SIZES = {"inception": "96", "alexnet": "96", "vit": "224", "maxvit": "224"}
_ARGUMENTS = {"googlenet": ", aux_logits=False", "inception": ", aux_logits=False"}
"""Their further outputs in training aren't in a graph of evaluation."""


class Row(BaseModel):
    """What came of a model."""

    name: str
    size: int
    seconds: float
    lines: int = 0
    failure: str = ""
    port: PortCheck | None = None


def _by_prefix(table: dict[str, str], name: str) -> str:
    return next((value for prefix, value in table.items() if name.startswith(prefix)), "")


def try_model(name: str) -> Row:
    """Translate a model and hold it against the original."""
    begun, size = time.perf_counter(), int(_by_prefix(_SIZES, name) or 64)
    network = f'torch:{_MODELS}:model(name="{name}"{_by_prefix(_ARGUMENTS, name)})'
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = rosetta.translate(
                network, "jax", inputs=f"3x{size}x{size}", batch=2, out=Path(folder) / f"{name}.py",
                packages="torch:torchvision",
            )  # fmt: skip
        except RosettaError as error:
            return Row(name=name, size=size, seconds=time.perf_counter() - begun, failure=error.cause)
    port = found.proof.ports[0] if found.proof else None
    failure = found.failure or (port.failure if port else "")
    lines = len(found.text.splitlines())
    return Row(
        name=name, size=size, seconds=time.perf_counter() - begun, lines=lines, failure=failure, port=port
    )  # fmt: skip


def read_rows(file: Path) -> dict[str, Row]:
    """Return what was found before, the newest of each; a line that an interruption cut short is left out."""
    lines = file.read_text("utf-8").splitlines(keepends=True) if file.exists() else []
    rows = [Row.model_validate_json(line) for line in lines if line.endswith("\n")]
    return {row.name: row for row in rows}


def told(row: Row) -> tuple[str, str, str]:
    """Return the verdicts in evaluation and training, and what is to be said."""
    if row.port is None or row.failure:
        return ("refused" if row.port is None and not row.lines else "not proven"), "", row.failure
    port = row.port
    part = port.parts[port.parts_at] if port.parts_at is not None else None
    return str(port.in_evaluation), str(port.in_training), "" if part is None else f"parts at {part.standard}"


def to_markdown(rows: dict[str, Row]) -> str:
    """Return the table, in the order of ``NAMES``."""
    found = [rows[name] for name in NAMES if name in rows]
    proven = sum(row.port is not None and row.port.verdict == "the same" for row in found)
    lines = [
        "# Networks translated into JAX",
        "",
        "`python benchmarks/translation.py`: torchvision's classification models with random parameters, two samples",
        "of small images, stochastic depth off; held against the original as [rosetta check](../check.md) does:",
        "outputs and gradients in evaluation and training, statistics, dropout.",
        "",
        f"Tried: {len(found)} of {len(NAMES)}. Proven to be the same: {proven}.",
        "",
        "| model | image | lines of text | in evaluation | in training | | seconds |",
        "|---|--:|--:|---|---|---|--:|",
    ]
    for row in found:
        cells = [row.name, str(row.size), str(row.lines or ""), *told(row), f"{row.seconds:.0f}"]
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Try what isn't known yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="a regular expression")
    parser.add_argument("--again", action="store_true", help="also what is known already")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no further model after so many")
    parser.add_argument("--out", type=Path, default=Path("docs/results/translation.md"))
    options = parser.parse_args()
    store, begun = options.out.with_suffix(".jsonl"), time.monotonic()
    known = {} if options.again else read_rows(store)
    for name in NAMES:
        if name in known or not re.search(options.only, name):
            continue
        if time.monotonic() - begun > options.seconds:
            break
        row = try_model(name)
        print(f"{name}: {', '.join(filter(None, told(row)))}, {row.seconds:.0f} s", flush=True)
        with store.open("a", encoding="utf-8") as file:
            file.write(row.model_dump_json() + "\n")
    options.out.write_text(to_markdown(read_rows(store)), "utf-8")
    print(options.out)


if __name__ == "__main__":
    main()
