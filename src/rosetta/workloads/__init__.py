"""Finds the workloads: one file each in this folder, its spec named WORKLOAD; other forms are written in brackets."""

import importlib
import os
import pkgutil
import re
from functools import cache

from rosetta.errors import RosettaError, unknown
from rosetta.workloads.forms import trained_as
from rosetta.workloads.spec import Workload

_VARIANT = re.compile(r"^(?P<name>\w+)\[(?P<options>[^\[\]]+)\]$")


@cache
def workloads() -> dict[str, Workload]:
    """Return every workload by name, the cheapest first, so that a run's first figures stand soon."""
    modules = (importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    found = [vars(module)["WORKLOAD"] for module in modules if "WORKLOAD" in vars(module)]
    return {workload.name: workload for workload in sorted(found, key=lambda w: w.flops_per_sample * w.batch_size)}


def find_workload(name: str | Workload) -> Workload:
    """Return a workload by name, ``babi_rnn``, or in another form, ``babi_rnn[qa5,order=fixed]``; or the one given.

    Any workload's training may have another ``order``, ``init`` and number of ``samples`` (``workloads.forms``); what
    else stands in the brackets is given to its own module's ``variant``. Raises ``RosettaError`` with the nearest names
    if there is none.
    """
    return name if isinstance(name, Workload) else _named(name)


@cache
def _named(name: str) -> Workload:
    known = workloads()
    if name in known:
        return known[name]
    if os.path.isfile(os.path.join(name, "network.toml")):
        raise RosettaError(
            f"{name} is the folder of a network of one's own: Rosetta checks and runs these; it doesn't train, convert "
            "or ask them by themselves yet.",
            f"Hold its sides against each other, rosetta check {name}, or race them: rosetta run {name}",
        )
    match = _VARIANT.match(name)
    if match is None or match["name"] not in known:
        raise unknown("workload", match["name"] if match else name, known)
    options = tuple(option.strip() for option in match["options"].split(","))
    settings = dict(option.split("=", 1) for option in options if "=" in option)
    return trained_as(_own_form(known[match["name"]], tuple(o for o in options if "=" not in o)), settings)


def _own_form(workload: Workload, options: tuple[str, ...]) -> Workload:
    """Return the form that the workload's own module makes of options; without any the workload itself."""
    if not options:
        return workload
    module = importlib.import_module(f"{__name__}.{workload.name}")
    if not hasattr(module, "variant"):
        raise RosettaError(f"{workload.name} has no variants.", f"Write {workload.name}.")
    made: Workload = module.variant(options)
    return made
