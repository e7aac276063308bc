"""Framework folders of users, written for an earlier Rosetta, work as they did."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rosetta_worker import messages
from rosetta_worker.session import Session
from rosetta_worker.trainer import load_replicas, load_trainer

OLD = """
import numpy as np

SEEN = []

class Trainer:
    def __init__(self, implementation, workload, variants, device, dropout, seed):
        pass

    def prepare(self, inputs, labels):
        assert labels.dtype == np.int64 and not labels.any()
        return list(zip(*inputs, labels))

    def infer(self, batches):
        SEEN.extend((images.shape, labels.shape) for images, labels in batches)
"""
NEW = """
SEEN = []

class Trainer:
    def __init__(self, implementation, workload, variants, device, dropout, seed):
        pass

    def prepare_inputs(self, inputs):
        return list(zip(*inputs))

    def infer(self, batches):
        SEEN.extend(images.shape for (images,) in batches)
"""
SUBCLASS = OLD.replace("import numpy", "from rosetta_worker import trainer\nimport numpy", 1).replace(
    "class Trainer:", "class Trainer(trainer.Trainer):"
)
REPLICAS = """
SEEN = []

class Trainer:
    def __init__(self, implementation, workload, variants, device, dropout, seed, replicas, rank, {name}):
        SEEN.append((replicas, rank, {name}))
"""
BATCH = 3


def opened(folder: Path, file: str, source: str, replicas: int = 1, **more: Any) -> Session:
    """Open a workload of 1 × 2 × 2 images in a framework of one file, in this process."""
    (folder / file).write_text(source)
    (folder / "net.py").touch()
    arrays: dict[str, np.ndarray] = {name: np.ones((6, 1, 2, 2), np.uint8) for name in ("train_inputs", "test_inputs")}
    arrays |= {name: np.ones(6, np.int64) for name in ("train_labels", "test_labels")}
    arrays["order"] = np.arange(6, dtype=np.int32)[:, None]
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    paths: dict[str, Any] = {name: str(folder / f"{name}.npy") for name in arrays}
    data = paths | {name: [paths[name]] for name in ("train_inputs", "test_inputs")} | {"scale": 1.0}
    inputs = [{"name": "image", "kind": "pixels", "shape": [1, 2, 2]}]
    workload = {"module": "net", "dtype": "float32", "inputs": inputs, "batch_size": BATCH}
    session = Session()
    session.import_framework(messages.ImportFramework(str(folder), "cpu", [], replicas))
    session.open(messages.Open(workload, data, True, 1, **more))
    return session


@pytest.mark.parametrize("source", [OLD, SUBCLASS])
def test_what_an_old_one_infers_it_prepared_with_labels(tmp_path: Path, source: str) -> None:
    session = opened(tmp_path, "trainer.py", source)
    session.infer(messages.Infer(first=0, steps=2, lead_in=1))
    session.latency(messages.Latency(count=1))
    batch, single = ((BATCH, 1, 2, 2), (BATCH,)), ((1, 1, 2, 2), (1,))
    seen = load_trainer(str(tmp_path)).SEEN
    assert seen == [batch] * 3 + [single] * 2


def test_a_new_one_is_given_inputs_alone(tmp_path: Path) -> None:
    session = opened(tmp_path, "trainer.py", NEW)
    session.infer(messages.Infer(first=0, steps=2, lead_in=1))
    session.latency(messages.Latency(count=1))
    assert load_trainer(str(tmp_path)).SEEN == [(BATCH, 1, 2, 2)] * 3 + [(1, 1, 2, 2)] * 2


@pytest.mark.parametrize("name", ["meeting", "rendezvous"])
def test_replicas_find_each_other_under_either_name(tmp_path: Path, name: str) -> None:
    opened(tmp_path, "replicas.py", REPLICAS.format(name=name), replicas=2, rank=1, rendezvous="/a/path")
    assert load_replicas(str(tmp_path)).SEEN == [(2, 1, "/a/path")]
