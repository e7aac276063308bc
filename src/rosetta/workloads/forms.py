"""Other forms of a workload's training: in another order, from other initial parameters, on fewer samples."""

import dataclasses
from collections.abc import Mapping
from typing import get_args

from rosetta.errors import RosettaError, unknown
from rosetta.workloads.schemes import SCHEMES
from rosetta.workloads.spec import Order, Workload

SETTINGS = ("init", "order", "samples")
_ORDERS: Mapping[str, Order] = {order: order for order in get_args(Order)}
_MOST_SAMPLES = 10**9


def trained_as(workload: Workload, settings: Mapping[str, str]) -> Workload:
    """Return the workload with ``order``, ``init`` and ``samples`` as they are written; its name then has them.

    Raises ``RosettaError`` where a setting or its value isn't known, or the workload isn't trained.
    """
    if not settings:
        return workload
    for name in settings:
        if name not in SETTINGS:
            raise unknown("setting of a workload", name, SETTINGS)
    if not workload.trains:
        raise RosettaError(f"{workload.name} isn't trained, so that {' and '.join(settings)} mean nothing.")
    scheme, samples = settings.get("init"), settings.get("samples")
    if (order := settings.get("order", workload.order)) not in _ORDERS:
        raise unknown("order of samples", order, _ORDERS)
    if scheme is not None and scheme not in SCHEMES:
        raise unknown("scheme of initial parameters", scheme, SCHEMES)
    if samples is not None and not (samples.isdecimal() and workload.batch_size <= int(samples) <= _MOST_SAMPLES):
        raise RosettaError(
            f"{workload.name} can't be trained on {samples} samples.",
            f"Write a number from a batch, {workload.batch_size}, to {_MOST_SAMPLES:,}.",
        )
    own = workload.name.partition("[")[2].removesuffix("]").split(",") if "[" in workload.name else []
    written = [*own, *(f"{name}={settings[name]}" for name in SETTINGS if name in settings)]
    return dataclasses.replace(
        workload,
        name=f"{workload.name.partition('[')[0]}[{','.join(written)}]",
        implementation=workload.module,
        order=_ORDERS[order],
        scheme=scheme or workload.scheme,
        samples=int(samples or workload.samples),
        reached="",
        published=(),
    )
