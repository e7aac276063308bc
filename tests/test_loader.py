"""Frameworks fed by their own loaders: proven, measured, and their loaders' processes gone at the end.

Faults planted in copies of PyTorch's loader are caught. ``test_loader_check.py`` has more, on simulated loaders.
"""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from proof_bench import SEED, start_worker

from rosetta import datasets
from rosetta.benchmark.observer import Observer
from rosetta.benchmark.run import conduct
from rosetta.contenders.contender import Contender, parse_contender
from rosetta.contenders.manifest import frameworks
from rosetta.environments.build import build
from rosetta.environments.client import Client
from rosetta.environments.variables import HOST_MARK
from rosetta.environments.worker import WorkerFailure
from rosetta.paths import cache_folder
from rosetta.proof import observer as proof
from rosetta.proof.further.loader import TRAINED_STEPS, LoaderCheck
from rosetta.record.directory import create
from rosetta.record.plan import Plan
from rosetta.record.result import Check
from rosetta.workloads import find_workload
from rosetta.workloads.prepared import PreparedWorkload, prepare_workload

WORKLOAD = "cifar10_keras_cnn_loader"
LOADER, TRAINER = f"{WORKLOAD}.py", "trainer.py"
CHECKS = {"images", "labels", "epochs", "order", "changes", "training"}


class Watcher(Observer):
    """Remembers the loaders' processes after each of PyTorch's chunks."""

    def __init__(self) -> None:
        self.loaders: list[set[int]] = []

    def event(self, event: dict) -> None:
        if event["event"] == "chunk" and event["label"] == "torch":
            parents = {process.pid: process.ppid() for process in at_work()}
            self.loaders.append({pid for pid, parent in parents.items() if parent in parents})


def at_work() -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if HOST_MARK.items() <= process.environ().items():
                yield process


@pytest.mark.long
def test_frameworks_with_their_own_loaders(tmp_path: Path, data_folder: Path | None) -> None:
    plan = Plan(
        workloads=[WORKLOAD],
        contenders=["torch", "tensorflow", "numpy"],
        preset="smoke",
        launches=1,
        rounds=2,
        test_samples=64,
        device="cpu",
        data=str(data_folder) if data_folder else None,
    )
    watcher = Watcher()
    create(plan, tmp_path / "run")
    *loading, numpy = conduct(tmp_path / "run", watcher).results[0].contenders
    for contender in loading:
        assert contender.status == "ok", contender.reason
        assert contender.equivalence is not None and contender.equivalence.passed
        assert {f"loader: {what}" for what in CHECKS} <= {check.name for check in contender.equivalence.further}
        assert len(contender.chunks) == 2
    assert numpy.reason is not None and "NumPy has no loader of its own." in numpy.reason
    first, second = watcher.loaders
    assert len(first) == 2 and first == second, "PyTorch's loader has two processes, which live on between the chunks"
    assert not list(at_work())


AUGMENTED = """        image = F.pad(image, (3, 3, 3, 3), mode="replicate")
        top, left = torch.randint(0, 7, (2,)).tolist()
        image = image[:, top : top + 32, left : left + 32]
        if torch.rand(()) < 0.5:
            image = image.flip(-1)
"""
TAKE, TRAIN = "itertools.islice(self.batches, steps)", "\n        return self.train("
FOREVER = "self.batches = itertools.chain.from_iterable(itertools.repeat(loader))"

FAULTS = {
    "not-augmented": (LOADER, AUGMENTED, "", "changes"),
    "not-shifted": (LOADER, "torch.randint(0, 7, (2,)).tolist()", "3, 3", "changes"),
    "not-mirrored": (LOADER, "if torch.rand(()) < 0.5", "if False", "changes"),
    "mirrored-too-seldom": (LOADER, "torch.rand(()) < 0.5", "torch.rand(()) < 0.4", "changes"),
    "changes-of-one-seed-in-both-processes": (
        LOADER,
        "persistent_workers=True,",
        "persistent_workers=True, worker_init_fn=lambda _: torch.manual_seed(0),",
        "changes",
    ),
    "changes-the-same-in-each-epoch": (
        LOADER,
        "        top, left = ",
        "        torch.manual_seed(int(index))\n        top, left = ",
        "changes",
    ),
    "upside-down": (LOADER, "image.flip(-1)", "image.flip(-2)", "images"),
    "upside-down-once-in-a-hundred": (
        LOADER,
        "        return image, int",
        "        image = image.flip(-2) if torch.rand(()) < 0.01 else image\n        return image, int",
        "images",
    ),
    "shifted-too-far": (LOADER, AUGMENTED, AUGMENTED.replace("3, 3, 3, 3", "4, 4, 4, 4").replace("7", "9"), "images"),
    "edges-not-repeated": (LOADER, 'mode="replicate"', 'mode="constant"', "images"),
    "unscaled": (LOADER, "dtype=torch.float32) / 255", "dtype=torch.float32)", "images"),
    "labels-of-the-image-before": (LOADER, "int(self.labels[index])", "int(self.labels[index - 1])", "labels"),
    "labels-one-up": (LOADER, "int(self.labels[index])", "int(self.labels[index] + 1) % 10", "labels"),
    "half-an-epoch": (LOADER, "return len(self.images)", "return len(self.images) // 2", "epochs"),
    "one-cached-batch": (TRAINER, FOREVER, "self.batches = itertools.repeat(next(iter(loader)))", "epochs"),
    "with-replacement": (
        LOADER,
        "shuffle=True,",
        "sampler=torch.utils.data.RandomSampler(range(len(np.load(labels_file))), replacement=True),",
        "epochs",
    ),
    "not-shuffled": (LOADER, "shuffle=True,", "", "order"),
    "shuffled-once": (
        LOADER, "shuffle=True,", "sampler=torch.randperm(len(np.load(labels_file))).tolist(),", "order"
    ),
    "trains-and-takes-nothing": (
        TRAINER,
        f"batches = {TAKE}{TRAIN}",
        f"self.batches, other = itertools.tee(self.batches)\n        batches = itertools.islice(other, steps){TRAIN}",
        "epochs",
    ),
    "trains-on-the-first-batch-of-a-call": (TRAINER, TAKE + TRAIN, f"list({TAKE})[:1] * steps{TRAIN}", "training"),
    "trains-on-a-batch-that-it-has-kept": (
        TRAINER,
        f"batches = {TAKE}{TRAIN}",
        f"batches = list({TAKE})\n        self.kept = getattr(self, 'kept', batches[:1])"
        f"\n        batches = self.kept * steps{TRAIN}",
        "training",
    ),
    "trains-on-half-of-a-batch": (TRAINER, TAKE + TRAIN, f"((x[:16], y[:16]) for x, y in {TAKE}){TRAIN}", "training"),
}  # fmt: skip
ENDS_EARLY = {
    "stops-before-a-call-ends": (TRAINER, TAKE + TRAIN, f"list({TAKE})[:{TRAINED_STEPS - 1}]{TRAIN}", "training"),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, data_folder: Path | None) -> PreparedWorkload:
    workload = find_workload(WORKLOAD)
    dataset = datasets.prepare(workload.dataset, data_folder, cache_folder() / "data", download=False)
    return prepare_workload(workload, dataset, tmp_path_factory.mktemp("loader"), SEED)


@pytest.fixture(scope="module")
def torch(prepared: PreparedWorkload) -> Iterator[Client]:
    contender = Contender(frameworks()["torch"])
    client = start_worker(contender, build(contender), prepared.folder)
    yield client
    client.worker.close()


def check(client: Client, contender: Contender, prepared: PreparedWorkload) -> list[Check]:
    """Have a worker show what its loader delivers, and judge it."""
    client.import_framework(contender)
    with proof.Observer(client, prepared) as observer:
        observer.open(dropout=False)
        found = LoaderCheck().observe(observer)
    return LoaderCheck().compare(found, {}, prepared.workload, contender.tolerances)


def failing(checks: list[Check]) -> set[str]:
    return {c.name.removeprefix("loader: ") for c in checks if c.error is None or c.error > c.tolerance}


def planted(fault: str, prepared: PreparedWorkload) -> Contender:
    """Return PyTorch with a fault in a copy of its folder, which must have a new name for the worker to import it."""
    known = frameworks()["torch"]
    copy = prepared.folder / fault
    shutil.copytree(known.folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
    name, old, new, _ = (FAULTS | ENDS_EARLY)[fault]
    text = (copy / name).read_text("utf-8")
    assert old in text, "the text to replace isn't there any more"
    (copy / name).write_text(text.replace(old, new), "utf-8")
    return Contender(known.model_copy(update={"folder": copy}))


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_loader_is_caught(fault: str, torch: Client, prepared: PreparedWorkload) -> None:
    assert FAULTS[fault][3] in failing(check(torch, planted(fault, prepared), prepared))


@pytest.mark.long
def test_a_call_that_ends_early_has_too_few_losses(torch: Client, prepared: PreparedWorkload) -> None:
    with pytest.raises(WorkerFailure, match="losses of"):
        check(torch, planted("stops-before-a-call-ends", prepared), prepared)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "name",
    [
        *("torch", "torch[channels_last]", "jax", "keras[torch]", "keras[jax]", "keras[tensorflow]", "tensorflow"),
        *("chainer", "mxnet", "mxnet[module]", "paddle", "keras2[theano]"),
    ],
)
def test_a_frameworks_loader_is_right_and_leaves_nothing_running(name: str, prepared: PreparedWorkload) -> None:
    contender = parse_contender(name, frameworks())
    client = start_worker(contender, build(contender), prepared.folder)
    try:
        checks = check(client, contender, prepared)
        assert {c.name.removeprefix("loader: ") for c in checks} == CHECKS
        assert not failing(checks), checks
        client.leave()
        worker, deadline = psutil.Process(client.worker.pid), time.monotonic() + 5
        while worker.children(recursive=True) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not worker.children(recursive=True), "its loader's processes live on"
    finally:
        client.worker.close()
