"""Finds the workloads: one file each in this folder, its spec named WORKLOAD."""

import importlib
import pkgutil
from functools import cache

from rosetta.errors import unknown
from rosetta.workloads.spec import Workload


@cache
def workloads() -> dict[str, Workload]:
    """Return every workload by name, the cheapest first, so that a run's first figures stand soon."""
    names = (module.name for module in pkgutil.iter_modules(__path__) if module.name != "spec")
    found = (importlib.import_module(f"{__name__}.{name}").WORKLOAD for name in names)
    return {workload.name: workload for workload in sorted(found, key=lambda w: w.training_flops)}


def find_workload(name: str) -> Workload:
    """Return the workload of that name; raise ``RosettaError`` with the nearest names if there is none."""
    known = workloads()
    if name not in known:
        raise unknown("workload", name, known)
    return known[name]
