"""Any contender's own implementation in a bare loop: what ``harness_cost.py`` holds Rosetta's figures against.

The framework's trainer and the implementation are those that a worker has; nothing else of Rosetta is there: no host,
no messages, no session, no scheduler. How it is called: see chunks.py. ``ARRAYS.json`` also has the framework's
``folder``, the ``variants``, the ``device``, the ``seed`` and an .npz file of canonical ``parameters``.
"""

import sys
from pathlib import Path

import numpy as np
from chunks import arguments, in_order, serve

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))  # the trainers import the layouts from there

from rosetta_worker.trainer import load_implementation, load_trainer


def main():
    data = arguments()
    workload = data["workload"]
    trainer = load_trainer(data["folder"]).Trainer(
        load_implementation(data["folder"], workload["module"]),
        workload,
        frozenset(data["variants"]),
        data["device"],
        True,
        data["seed"],
    )
    with np.load(data["parameters"]) as parameters:
        trainer.load_parameters(dict(parameters))
    if workload["own_loader"]:
        trainer.open_files(data["train_inputs"][0], data["train_labels"])
        serve(lambda first, steps: steps, trainer.train_from_files)
    else:
        serve(in_order(data, trainer.prepare), trainer.train if workload["trained"] else trainer.infer)


if __name__ == "__main__":  # a loader's processes may import this file anew
    main()
