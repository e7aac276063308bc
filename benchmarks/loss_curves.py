"""Trains a workload with replicas and with one network, and compares the losses of every step.

    python benchmarks/loss_curves.py cifar10_tpu_cnn jax --replicas 8 --batch-size 1024 [--epochs 1]

Both start from the same parameters and see the same batches. Dropout acts: only where a framework draws the same random
numbers however a batch is laid out (JAX does) can the curves be the same to rounding; elsewhere they differ by chance.
Prints the largest relative difference among the first ten steps and among all, and the seconds that each took.
"""

import argparse
import dataclasses
import time

import numpy as np

from rosetta.contenders.contender import parse_contender
from rosetta.contenders.manifest import frameworks
from rosetta.models.train import Progress, TrainingObserver, train
from rosetta.paths import data_folder
from rosetta.workloads import find_workload

PROOF_STEPS = 10


class Losses(TrainingObserver):
    """Collects the losses."""

    def __init__(self) -> None:
        self.steps: list[float] = []

    def progress(self, progress: Progress) -> None:
        """Take those since the last report."""
        self.steps += progress.losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload")
    parser.add_argument("contender")
    parser.add_argument("--replicas", type=int, default=8)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--epochs", type=int, default=1)
    options = parser.parse_args()
    one = parse_contender(options.contender, frameworks())
    curves = []
    for contender in (one, dataclasses.replace(one, replicas=options.replicas)):
        losses, start = Losses(), time.perf_counter()
        train(
            find_workload(options.workload),
            contender,
            epochs=options.epochs,
            batch_size=options.batch_size,
            data=data_folder(None),
            observers=[losses],
        )
        curves.append(np.array(losses.steps))
        print(f"{contender.name}: {len(losses.steps)} losses, {time.perf_counter() - start:.0f} s")
    difference = np.abs(curves[1] / curves[0] - 1)
    print(f"largest relative difference: {difference[:PROOF_STEPS].max():.1e} in the first {PROOF_STEPS} steps")
    print(f"{difference.max():.1e} in all {len(difference)}; last losses {curves[0][-1]:.5f} and {curves[1][-1]:.5f}")


if __name__ == "__main__":
    main()
