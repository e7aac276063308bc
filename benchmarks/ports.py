"""Holds networks of packages that aren't ours against each other, and writes a table of what came of it.

    python benchmarks/ports.py [--only REGEX] [--out docs/results/ports.md]

Every pair is what ``rosetta check`` is given: random weights of the one are loaded into the other. What was found is
kept beside the table, in a file of JSON lines, under a digest of Rosetta's source: what is there already isn't tried
again. Exit status 1 where a pair couldn't be compared.
"""

import argparse
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from planted.fault import source_digest
from pydantic import BaseModel

import rosetta
from rosetta.errors import RosettaError
from rosetta.record.check import CheckResult

_PACKAGES = ("paddlepaddle", "keras", "torch", "numpy")
"""Of which the table tells the versions."""
_KERAS = "weights=None, classifier_activation=None"


@dataclass(frozen=True)
class Pair:
    """A standard and a port of the same name in two packages."""

    name: str
    standard: str
    port: str
    inputs: str
    batch: int = 2
    note: str = ""


def _keras(name: str, size: int) -> str:
    return f"keras[torch]:keras.applications:{name}({_KERAS}, input_shape=[{size}, {size}, 3])"


PAIRS = (
    Pair("MobileNetV2", "paddle:paddle.vision.models:mobilenet_v2", _keras("MobileNetV2", 64), "3x64x64"),
    Pair("MobileNet", "paddle:paddle.vision.models:mobilenet_v1", _keras("MobileNet", 64), "3x64x64"),
    Pair(
        "ResNet-50",
        "paddle:paddle.vision.models:resnet50",
        _keras("ResNet50", 64),
        "3x64x64",
        note="The shortcut of a block and its last convolution have the same sizes and are used in another order. As "
        "there are other differences too, the outputs can't settle which is which: where it parts isn't to be trusted.",
    ),
    Pair("DenseNet-121", "paddle:paddle.vision.models:densenet121", _keras("DenseNet121", 64), "3x64x64"),
    # Only at this size has its flattened image the size that its first dense layer takes.
    Pair("VGG16", "paddle:paddle.vision.models:vgg16", _keras("VGG16", 224), "3x224x224", batch=1),
)


class Row(BaseModel):
    """What came of a pair."""

    name: str
    source: str
    """The digest of Rosetta's source."""
    seconds: float
    failure: str = ""
    result: CheckResult | None = None


def try_pair(pair: Pair, source: str) -> Row:
    """Hold a pair's port against its standard."""
    begun = time.perf_counter()
    try:
        result = rosetta.check(pair.standard, pair.port, inputs=pair.inputs, batch=pair.batch)
    except RosettaError as error:
        return Row(name=pair.name, source=source, seconds=time.perf_counter() - begun, failure=str(error))
    seconds = time.perf_counter() - begun
    return Row(name=pair.name, source=source, seconds=seconds, failure=result.ports[0].failure, result=result)


def read_rows(file: Path) -> list[Row]:
    """Return what was found before; the line that an interruption cut short is left out."""
    lines = file.read_text("utf-8").splitlines(keepends=True) if file.exists() else []
    return [Row.model_validate_json(line) for line in lines if line.endswith("\n")]


def to_markdown(rows: list[Row]) -> str:
    """Return the table, in the order of ``PAIRS``."""
    lines = [
        "# Networks of packages, held against each other",
        "",
        "`python benchmarks/ports.py`. Random weights of the standard are loaded into the port; errors are relative L2 "
        "in float64 ([rosetta check](../check.md)).",
        "",
        "| network | standard | port | in evaluation | in training | dropout | parts at | cause found | seconds |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    by_name = {row.name: row for row in rows}
    for pair in PAIRS:
        if (row := by_name.get(pair.name)) is None:
            continue
        cells = [pair.name, f"`{pair.standard}`", f"`{pair.port}`", *_found(row), f"{row.seconds:.0f}"]
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    found = {f"{p} {v}" for row in rows if row.result for ps in row.result.packages.values() for p, v in ps.items()}
    told = sorted(line for line in found if line.split()[0] in _PACKAGES)
    notes = [f"{pair.name}: {pair.note}\n" for pair in PAIRS if pair.note and pair.name in by_name]
    return "\n".join([*lines, "", *notes, f"Versions: {', '.join(told)}.", ""])


def _found(row: Row) -> list[str]:
    if row.result is None or row.failure:
        return [f"not compared: {row.failure}", "", "", "", ""]
    port = row.result.ports[0]
    evaluation, training = (
        f"{verdict}{_worst(row.result, mode)}"
        for mode, verdict in (("evaluation", port.in_evaluation), ("training", port.in_training))
    )
    rates = (
        [", ".join(map(str, r)) or "none" for r in (port.dropout.standard, port.dropout.port)] if port.dropout else []
    )
    part = port.parts[port.parts_at] if port.parts_at is not None else None
    where = "" if part is None else ("" if port.parts_within else "before ") + f"`{part.standard}`, `{part.port}`"
    causes = [*([f"{len(port.surplus)} biases that the port alone has"] if port.surplus else []), port.cause]
    return [evaluation, training, " / ".join(dict.fromkeys(rates)), where, "; ".join(filter(None, causes))]


def _worst(result: CheckResult, mode: str) -> str:
    """Say by how much the outputs differ, and which statistics do."""
    quantities = [q for q in result.ports[0].quantities if q.mode == mode and q.verdict != "the same"]
    errors: dict[str, float] = {}
    for quantity in quantities:
        error = quantity.error_float64 if quantity.error_float64 is not None else quantity.error
        if error is not None:
            errors[quantity.what] = max(error, errors.get(quantity.what, 0.0))
    told = ", ".join(f"{what} {error:.1e}" for what, error in errors.items())
    return f": {told}" if told else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="a regular expression")
    parser.add_argument("--out", type=Path, default=Path("docs/results/ports.md"))
    options = parser.parse_args()
    store, source = options.out.with_suffix(".jsonl"), source_digest()
    chosen = [pair for pair in PAIRS if re.search(options.only, pair.name)]
    if not chosen:
        sys.exit(f"No pair has '{options.only}' in its name.")
    known = {row.name for row in read_rows(store) if row.source == source and not row.failure}
    for pair in chosen:
        if pair.name in known:
            continue
        row = try_pair(pair, source)
        port = row.result.ports[0] if row.result else None
        print(f"{pair.name}: {row.failure or (port and port.verdict)}, {row.seconds:.0f} s", flush=True)
        with store.open("a", encoding="utf-8") as file:
            file.write(row.model_dump_json() + "\n")
    rows = read_rows(store)
    options.out.write_text(to_markdown(rows), "utf-8")
    print(options.out)
    newest = {row.name: row for row in rows}
    sys.exit(any(newest[pair.name].failure for pair in chosen))


if __name__ == "__main__":
    main()
