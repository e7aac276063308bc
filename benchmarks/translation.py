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
NAMES = [
    "alexnet",
    "convnext_base",
    "convnext_large",
    "convnext_small",
    "convnext_tiny",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "efficientnet_v2_l",
    "efficientnet_v2_m",
    "efficientnet_v2_s",
    "googlenet",
    "inception_v3",
    "maxvit_t",
    "mnasnet0_5",
    "mnasnet0_75",
    "mnasnet1_0",
    "mnasnet1_3",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "regnet_x_16gf",
    "regnet_x_1_6gf",
    "regnet_x_32gf",
    "regnet_x_3_2gf",
    "regnet_x_400mf",
    "regnet_x_800mf",
    "regnet_x_8gf",
    "regnet_y_128gf",
    "regnet_y_16gf",
    "regnet_y_1_6gf",
    "regnet_y_32gf",
    "regnet_y_3_2gf",
    "regnet_y_400mf",
    "regnet_y_800mf",
    "regnet_y_8gf",
    "resnet101",
    "resnet152",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "resnext50_32x4d",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "shufflenet_v2_x1_5",
    "shufflenet_v2_x2_0",
    "squeezenet1_0",
    "squeezenet1_1",
    "swin_b",
    "swin_s",
    "swin_t",
    "swin_v2_b",
    "swin_v2_s",
    "swin_v2_t",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "vit_b_16",
    "vit_b_32",
    "vit_h_14",
    "vit_l_16",
    "vit_l_32",
    "wide_resnet101_2",
    "wide_resnet50_2",
]
"""torchvision 0.28's, by ``list_models(module=torchvision.models)``."""
_SIZES = {"inception": 96, "alexnet": 96, "vit": 224, "maxvit": 224}
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


def _by_prefix(table: dict[str, object], name: str) -> object:
    return next((value for prefix, value in table.items() if name.startswith(prefix)), None)


def try_model(name: str) -> Row:
    """Translate a model and hold it against the original."""
    begun, size = time.perf_counter(), _by_prefix(dict(_SIZES), name) or 64
    network = f'torch:{_MODELS}:model(name="{name}"{_by_prefix(dict(_ARGUMENTS), name) or ""})'
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
        "of small images, stochastic depth off; held against the original as [rosetta check](../check.md) does: outputs",
        "and gradients in evaluation and training, statistics, dropout.",
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
