"""What the tests of dropout share: workers that show what copies of the PyTorch folder drop, and faults to plant."""

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from proof_bench import SEED, start_worker

from rosetta import datasets
from rosetta.contenders.contender import Contender
from rosetta.contenders.manifest import Tolerances, frameworks
from rosetta.environments.build import build
from rosetta.environments.client import Client
from rosetta.paths import cache_folder
from rosetta.proof.further.check import FurtherCheck
from rosetta.proof.observer import Observer
from rosetta.record.result import Check
from rosetta.workloads import find_workload
from rosetta.workloads.prepared import PreparedWorkload, prepare_workload

TORCH = frameworks()["torch"]


@dataclass(frozen=True)
class Fault:
    """A dropout put in another's place, or in that of all, and the check that must catch it."""

    workload: str
    name: str
    old: str
    new: str
    caught_by: str
    custom: str = ""
    """What the class Custom returns of x, a dropout of the rate self.p."""
    loss: str = "nn.CrossEntropyLoss()"


CUT_OFF = "lambda z, y: nn.functional.nll_loss(z.softmax(1).clamp(1e-7, 1 - 1e-7).log(), y)"
NAIVE = "lambda z, y: nn.functional.nll_loss((z.exp() / z.exp().sum(1, keepdim=True)).log(), y)"


class Watched:
    """A worker per workload, of which copies of the PyTorch folder show what one further check asks."""

    def __init__(self, check: FurtherCheck, stack: ExitStack, folder: Path):
        self._check, self._stack, self._folder = check, stack, folder
        self._open: dict[str, tuple[PreparedWorkload, Client]] = {}

    def checks(self, workload: str, framework: Path) -> dict[str, Check]:
        """Return the checks by name."""
        prepared, client = self._open.get(workload) or self._start(workload)
        client.import_framework(Contender(TORCH.model_copy(update={"folder": framework})))
        with Observer(client, prepared) as observer:
            observer.open(dropout=True)
            found = self._check.observe(observer)
        compared = self._check.compare(found, {}, prepared.workload, Tolerances())
        return {check.name: check for check in compared}

    def with_fault(self, fault: Fault) -> dict[str, Check]:
        """Return the checks of a copy with the fault."""
        folder = self._folder / f"{fault.workload}-{fault.name}"
        shutil.copytree(TORCH.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
        file = folder / f"{fault.workload}.py"
        text = file.read_text("utf-8")
        assert fault.old in text, "the text to replace isn't there any more"
        text = text.replace(fault.old, fault.new).replace("nn.CrossEntropyLoss()", fault.loss)
        custom = [
            *("class Custom(nn.Dropout):", "    calls = 0", "", "    def forward(self, x):"),
            *("        if not (self.training and self.p):", "            return x"),
            *(
                f"        found = {fault.custom}",
                "        Custom.calls += 1",
                "        return found",
                "",
                "",
                "class Net",
            ),
        ]
        if fault.custom:
            text = text.replace("class Net", "\n".join(custom), 1)
        file.write_text(text, "utf-8")
        return self.checks(fault.workload, folder)

    def _start(self, name: str) -> tuple[PreparedWorkload, Client]:
        prepared = prepared_workload(name, self._folder)
        torch = Contender(TORCH)
        client = start_worker(torch, build(torch), self._folder)
        self._stack.callback(client.worker.close)
        return self._open.setdefault(name, (prepared, client))


def prepared_workload(name: str, folder: Path) -> PreparedWorkload:
    """Prepare a workload on synthetic data, or an earlier download."""
    workload = find_workload(name)
    dataset = datasets.prepare(workload.dataset, None, cache_folder() / "data", download=False)
    return prepare_workload(workload, dataset, folder, SEED)
