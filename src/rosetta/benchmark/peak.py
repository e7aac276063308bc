"""Asks every worker once in a run what it reaches in a float32 matrix product: the best is the machine's peak."""

from collections.abc import Mapping, Sequence

from rosetta.benchmark.context import Arm, RunContext
from rosetta.environments.client import Client
from rosetta.environments.worker import WorkerFailure
from rosetta.machine import cpu


def record_products(context: RunContext, group: Sequence[Arm], clients: Mapping[str, Client]) -> None:
    """Record the products of the group's workers on the processor, of those that live and weren't asked before.

    It is done at a launch's end, when all that these processes were timed for is over, in their own threads. A worker
    that can't do it keeps its times: the reason is recorded in place of the product. A GPU's peak is its driver's.
    """
    asked = {event["label"] for event in context.log.events if event["event"] == "product"}
    for arm in {arm.worker: arm for arm in group if arm.contender.device == "cpu"}.values():
        client = clients.get(arm.worker)
        if context.plan.kind != "run" or arm.worker in asked or client is None or not client.worker.alive:
            continue
        found: dict[str, object] = {"own": None, "seconds": [], "reason": ""}
        try:
            reply = client.products(cpu.PRODUCT_SIZE, cpu.PRODUCT_SECONDS)
            found |= {"own": reply.own, "seconds": reply.seconds}
        except WorkerFailure as failure:
            found["reason"] = str(failure)
        context.log.append("product", label=arm.worker, name=arm.contender.name, size=cpu.PRODUCT_SIZE, **found)
