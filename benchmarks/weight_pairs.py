"""Trains a network in every framework and asks every other about it: how far are the outputs apart?

    python benchmarks/weight_pairs.py mnist_mlp [--set all] [--epochs 1] [--count 1000] [--json FILE]

Each contender trains on the real data; its weights go through a file; each loads all of them and is asked for the
logits of the first ``count`` test samples. Compared with those of the framework that trained: the relative L2
error, bound 1e-5, and how many samples get another class. Exit status 1 where the bound or a class is missed, other
than by an exact tie, or a contender fails. With two quiet cores and ``--set current`` ``mnist_mlp`` takes two minutes.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from rosetta import datasets
from rosetta.contenders.contender import Contender, parse_contender, read_set
from rosetta.contenders.manifest import frameworks
from rosetta.errors import RosettaError
from rosetta.models.session import worker_session
from rosetta.models.train import train
from rosetta.models.weights import Weights, load_weights, save_weights
from rosetta.paths import cache_folder, data_folder
from rosetta.workloads import find_workload
from rosetta.workloads.spec import Workload

BOUND = 1e-5


def test_samples(workload: Workload, count: int) -> tuple[np.ndarray, ...]:
    """Return the first test samples as networks take them: scaled pixels, float32, or tokens, int32."""
    prepared = datasets.prepare(workload.dataset, data_folder(None), cache_folder() / "data")
    if not prepared.kind.startswith("real"):
        raise SystemExit(f"These are {prepared.kind} data: set ROSETTA_DATA to the folder with the real ones.")
    found = []
    for path, given in zip(prepared.test_inputs, workload.inputs, strict=True):
        array = np.load(path, mmap_mode="r")[:count]
        pixels = given.kind == "pixels"
        values = array.astype(np.float32) * np.float32(prepared.scale) if pixels else array.astype(np.int32)
        found.append(values.reshape(len(array), *given.shape))
    return tuple(found)


def other_classes(logits: np.ndarray, own: np.ndarray) -> int:
    """Count the samples whose class differs, those left out whose two best logits are equal in either."""
    best = [np.sort(values, axis=1)[:, -2:] for values in (logits, own)]
    tied = np.any([pair[:, 0] == pair[:, 1] for pair in best], axis=0)
    return int(((logits.argmax(1) != own.argmax(1)) & ~tied).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload")
    parser.add_argument("--set", default="current")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="write the values there")
    options = parser.parse_args()
    workload, known = find_workload(options.workload), frameworks()
    names = list(dict.fromkeys(["numpy", *read_set(options.set, known)]))
    contenders = [parse_contender(name, known) for name in names]
    samples, console = test_samples(workload, options.count), Console(stderr=True)
    trained: dict[str, Weights] = {}
    logits: dict[str, dict[str, np.ndarray]] = {}
    failed: dict[str, str] = {}

    def attempt(contender: Contender, what: str, work: object) -> None:
        start = time.perf_counter()
        try:
            work()  # type: ignore[operator]
            console.print(f"{contender.name}: {what}, {time.perf_counter() - start:.0f} s", markup=False)
        except RosettaError as error:
            failed[contender.name] = f"{what}: {error.cause}"
            console.print(f"{contender.name}: {what} failed: {error.cause}", markup=False)

    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "weights.safetensors"
        for contender in contenders:

            def learn(contender: Contender = contender) -> None:
                save_weights(file, train(workload, contender, epochs=options.epochs, data=data_folder(None)))
                trained[contender.name] = load_weights(file)

            attempt(contender, "trained", learn)
        for contender in contenders:

            def ask(contender: Contender = contender) -> None:
                with worker_session(contender, workload) as client:
                    for name, weights in trained.items():
                        client.load_parameters(weights.parameters)
                        logits.setdefault(name, {})[contender.name] = client.outputs(samples)

            attempt(contender, "asked", ask)

    rows = []
    for trainer, of_each in logits.items():
        own = of_each.get(trainer)
        for predictor, values in of_each.items() if own is not None else ():
            error = float(np.linalg.norm(values - own) / np.linalg.norm(own))
            rows.append((trainer, predictor, error, other_classes(values, own)))
    if options.json:
        fields = ("trained", "predicted", "error", "other_classes")
        found = {"workload": workload.name, "epochs": options.epochs, "count": len(samples[0]), "failed": failed}
        accuracies = {name: weights.about["test_accuracy"] for name, weights in trained.items()}
        pairs = [dict(zip(fields, row, strict=True)) for row in rows]
        options.json.write_text(json.dumps({**found, "accuracy": accuracies, "pairs": pairs}, indent=1) + "\n")
    report(workload, rows, trained, len(samples[0]))
    for name, reason in failed.items():
        print(f"{name}: {reason}")
    missed = [row for row in rows if row[2] > BOUND or row[3]]
    print(f"{len(rows)} ordered pairs, worst {max(row[2] for row in rows):.1e}; {len(missed)} beyond the bound")
    sys.exit(1 if missed or failed else 0)


def report(
    workload: Workload, rows: list[tuple[str, str, float, int]], trained: dict[str, Weights], count: int
) -> None:
    """Print the relative errors: a row for who trained, a column for who was asked."""
    asked = list(dict.fromkeys(predictor for _, predictor, _, _ in rows))
    errors = {(trainer, predictor): (error, others) for trainer, predictor, error, others in rows}
    table = Table("trained in", "accuracy", *(name.replace("[", r"\[") for name in asked))
    table.title = f"{workload.name}: relative L2 error of the logits of {count} test samples (and other classes)"
    for trainer, weights in trained.items():
        cells = []
        for predictor in asked:
            error, others = errors.get((trainer, predictor), (np.nan, 0))
            cells.append("–" if predictor == trainer else f"{error:.0e}" + (f" ({others})" if others else ""))
        table.add_row(trainer.replace("[", r"\["), f"{float(weights.about['test_accuracy']):.1%}", *cells)
    Console(width=24 + 11 * (len(asked) + 1)).print(table)


if __name__ == "__main__":
    main()
