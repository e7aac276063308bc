"""Who takes part in a run: environments are built, arms made of those that came about, and all of it is recorded."""

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor

from rosetta.benchmark.context import Arm
from rosetta.benchmark.observer import Observer
from rosetta.contenders.contender import Contender
from rosetta.environments.build import Environment, EnvironmentFailure, build
from rosetta.environments.child import end_all
from rosetta.networks.raced import OwnWorkload
from rosetta.record.events import RunLog
from rosetta.record.failures import contender_events, standing_failures
from rosetta.record.plan import Plan, slowdown_words
from rosetta.workloads.spec import Workload

BUILDERS_AT_ONCE = 2


def build_environments(
    contenders: list[Contender], log: RunLog, observer: Observer
) -> dict[str, Environment | EnvironmentFailure]:
    """Build the environments, some at once; one that can't be built is its failure."""

    def attempt(contender: Contender) -> Environment | EnvironmentFailure:
        try:
            return build(contender, observer.say)
        except EnvironmentFailure as failure:
            return failure

    start = time.perf_counter()
    found: dict[str, Environment | EnvironmentFailure] = {}
    with ThreadPoolExecutor(BUILDERS_AT_ONCE) as pool:
        for contender in contenders:
            observer.state("", contender.name, "installing")
        futures = {contender.name: pool.submit(attempt, contender) for contender in contenders}
        try:
            for name, future in futures.items():
                found[name] = future.result()
                observer.state("", name, "installed" if isinstance(found[name], Environment) else "unavailable")
        except BaseException:
            # Leaving the pool waits for the installers, so they have to end first, and whatever is begun meanwhile.
            pool.shutdown(wait=False, cancel_futures=True)
            while any(future.running() for future in futures.values()):
                end_all()
                time.sleep(0.02)
            raise
    log.append("environments", seconds=time.perf_counter() - start)
    return found


def arms_of(
    plan: Plan, contenders: list[Contender], environments: dict[str, Environment | EnvironmentFailure]
) -> list[Arm]:
    """Return the sides of a run: its contenders, or in a calibration each against itself."""
    arms = []
    for contender in contenders:
        environment = environments[contender.name]
        if isinstance(environment, EnvironmentFailure):
            continue
        if plan.kind != "calibrate":
            arms.append(Arm(contender.name, contender, environment, contender.name))
            continue
        # Each slowdown has an A of its own, so that both workers are asked equally often.
        for slowdown in (0.0, *plan.planted_slowdowns):
            words = slowdown_words(slowdown)
            for worker, slow in (("A", 0.0), ("A′", slowdown)):
                note = f", against {words} slower" if worker == "A" else f", slowed by {words}"
                label = f"{contender.name} ({worker}{note if slowdown else ''})"
                arms.append(Arm(label, contender, environment, f"{contender.name} ({worker})", slow))
    return arms


def register(
    plan: Plan,
    arms: list[Arm],
    contenders: list[Contender],
    environments: dict[str, Environment | EnvironmentFailure],
    workloads: list[Workload],
    log: RunLog,
) -> None:
    """Record each line of the result, the contenders that can't run too, and what has changed since it was recorded."""
    recorded = {event["label"]: event["reason"] for event in contender_events(log.events)}
    failed = standing_failures(log.events)
    rows: list[tuple[str, str, Contender, str, str]] = [(arm.label, arm.worker, arm.contender, "", "") for arm in arms]
    for contender in contenders:
        failure = environments[contender.name]
        if isinstance(failure, EnvironmentFailure):
            rows.append((contender.name, contender.name, contender, str(failure), failure.disturbed_by))
    for label, worker, contender, reason, disturbed_by in rows:
        if recorded.get(label) != reason:
            log.append(
                "environment",
                label=label,
                worker=worker,
                framework=contender.framework.name,
                distribution=contender.distribution(contender.device),
                precision=contender.precision,
                device=contender.device,
                replicas=contender.replicas,
                one=dataclasses.replace(contender, replicas=1).name,
                reason=reason,
                disturbed_by=disturbed_by,
                notes={w.name: contender.note(w.module) for w in workloads},
                measures=plan.kind != "verify",
            )
        for workload in workloads:
            own = workload.why_not(contender.name) if isinstance(workload, OwnWorkload) else None
            why = contender.why_not(workload.module) if own is None else own
            if why and not reason and (workload.name, label) not in failed:
                log.append("failure", workload=workload.name, label=label, stage="plan", reason=why)
