"""Finds the workloads: one file each in this folder, its spec named WORKLOAD, other forms of it made by ``variant``."""

import importlib
import pkgutil
import re
from functools import cache

from rosetta.errors import RosettaError, unknown
from rosetta.workloads.spec import Workload

_VARIANT = re.compile(r"^(?P<name>\w+)\[(?P<options>[^\[\]]+)\]$")


@cache
def workloads() -> dict[str, Workload]:
    """Return every workload by name, the cheapest first, so that a run's first figures stand soon."""
    modules = (importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    found = [vars(module)["WORKLOAD"] for module in modules if "WORKLOAD" in vars(module)]
    return {workload.name: workload for workload in sorted(found, key=lambda w: w.flops_per_sample * w.batch_size)}


def find_workload(name: str | Workload) -> Workload:
    """Return a workload by name, ``babi_rnn``, or one of its other forms, ``babi_rnn[qa5]``; or the one given.

    Raises ``RosettaError`` with the nearest names if there is none.
    """
    return name if isinstance(name, Workload) else _named(name)


@cache
def _named(name: str) -> Workload:
    known = workloads()
    if name in known:
        return known[name]
    match = _VARIANT.match(name)
    if match is None or match["name"] not in known:
        raise unknown("workload", match["name"] if match else name, known)
    module = importlib.import_module(f"{__name__}.{match['name']}")
    if not hasattr(module, "variant"):
        raise RosettaError(f"{match['name']} has no variants.", f"Write {match['name']}.")
    made: Workload = module.variant(tuple(option.strip() for option in match["options"].split(",")))
    return made
