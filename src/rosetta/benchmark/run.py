"""Conducts a whole run in its directory: environments, data, proof, measurement, result, page."""

import contextlib
import dataclasses
import os
import platform
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import psutil

from rosetta import datasets
from rosetta.benchmark.arms import arms_of, build_environments, register
from rosetta.benchmark.context import Arm, RunContext
from rosetta.benchmark.observer import Observer
from rosetta.benchmark.prover import Prover
from rosetta.benchmark.scheduler import Scheduler
from rosetta.contenders.contender import Contender, parse_contenders
from rosetta.contenders.hints import hints
from rosetta.contenders.manifest import frameworks
from rosetta.environments.build import EnvironmentFailure, build
from rosetta.environments.variables import HOST
from rosetta.environments.worker import end_orphans
from rosetta.errors import RosettaError, storage_error
from rosetta.files import discard, scratch_folder
from rosetta.machine import cpu
from rosetta.machine.gpu import gpus
from rosetta.paths import cache_folder
from rosetta.record.directory import EVENTS, PLAN, working_in
from rosetta.record.events import RunLog
from rosetta.record.plan import Plan, read_plan
from rosetta.report.run_result import RunResult
from rosetta.report.write import write_report
from rosetta.workloads import find_workload
from rosetta.workloads.prepared import PreparedWorkload, prepare_workload
from rosetta.workloads.spec import Workload


def conduct(folder: Path, observer: Observer) -> RunResult:
    """Carry out the plan in ``folder``, or what of it isn't done yet; return the result.

    Whatever happens, the log is closed, the workers are gone and the result and page of what there is are written.
    """
    plan = read_plan(folder / PLAN)
    with (
        _storage_errors(folder),
        working_in(folder),
        _interruptible(),
        RunLog(folder / EVENTS, observer.event) as log,
    ):
        if any(event["event"] == "end" for event in log.events):
            return write_report(folder)
        start = time.perf_counter()
        # What a killed session left running would disturb this one; nobody else works in this folder.
        before = [event["host"] for event in log.events if event["event"] == "session" and event.get("host")]
        end_orphans(before)
        for host in before:
            discard(_scratch(folder, host))
        _tell_what_is_odd(plan, folder, log, observer)
        log.append("session", time=datetime.now(UTC).isoformat(timespec="seconds"), pid=os.getpid(), host=HOST)
        try:
            _carry_out(plan, folder, log, observer)
        except BaseException as error:
            seconds = time.perf_counter() - start
            with contextlib.suppress(RosettaError):
                log.append("interrupted", seconds=seconds, reason=type(error).__name__)
                write_report(folder)
            raise
        log.append("end", seconds=time.perf_counter() - start)
        return write_report(folder)


def _scratch(folder: Path, host: str) -> Path:
    """Return the folder in which arrays travel in a session; it is of that session alone."""
    return folder / f"scratch-{host}"


def _tell_what_is_odd(plan: Plan, folder: Path, log: RunLog, observer: Observer) -> None:
    """Say what of the record was left out, and of a run that was begun before whose code is about to be run."""
    for words in log.left_out:
        observer.say(f"{folder / EVENTS}, {words}; it is left out.")
    inside = [
        place for place in plan.frameworks if Path(os.path.realpath(place)).is_relative_to(os.path.realpath(folder))
    ]
    if inside:
        raise RosettaError(
            f"{folder / PLAN} names a frameworks folder in the run's own directory, {inside[0]}: its code isn't run.",
            "If you trust it, move it elsewhere and name it in plan.json.",
        )
    if log.events and plan.frameworks:
        observer.say(f"Code is run that {folder / PLAN} names: {', '.join(plan.frameworks)}")


def _carry_out(plan: Plan, folder: Path, log: RunLog, observer: Observer) -> None:
    known = frameworks([Path(f) for f in plan.frameworks])
    contenders = parse_contenders(dict.fromkeys(plan.contenders), known)
    workloads = [find_workload(name) for name in plan.workloads]
    for hint in hints(contenders, workloads):
        observer.say(hint)
    _describe_machine(plan, contenders, log)
    environments = build_environments(contenders, log, observer)
    arms = arms_of(plan, contenders, environments)
    numpy = Contender(known["numpy"])
    try:
        numpy_environment = build(numpy, observer.say)
    except EnvironmentFailure as failure:
        raise RosettaError(f"The reference can't be computed. {failure.cause}", failure.remedy) from failure
    with scratch_folder(_scratch(folder, HOST)) as scratch:
        prepared = [_prepare(plan, workload, scratch, log, observer) for workload in workloads]
        register(plan, arms, contenders, environments, workloads, log)
        context = RunContext(plan, log, folder, scratch, arms, observer.state)
        reference = Arm("numpy", numpy, numpy_environment, "numpy")
        prover = Prover(context, reference, cache_folder() / "reference", observer.say)
        if plan.kind == "verify":
            with contextlib.closing(prover):
                for workload_ready in prepared:
                    prover.prove(workload_ready, arms)
        else:
            Scheduler(context, prover, prepared).conduct()


def _describe_machine(plan: Plan, contenders: Sequence[Contender], log: RunLog) -> None:
    if any(event["event"] == "machine" for event in log.events):
        return
    measured = plan.kind == "run"
    start = time.perf_counter()
    log.append(
        "machine",
        platform=platform.platform(),
        cpu=cpu.cpu_name(),
        cores=len(plan.affinity),
        cpu_quota=cpu.cpu_quota(),
        memory_bytes=psutil.virtual_memory().total,
        device=" and ".join(sorted({contender.device for contender in contenders})),
        matmul_flops=cpu.matmul_flops() if measured else None,
        copy_bytes_per_second=cpu.copy_bytes_per_second() if measured else None,
        gpus=[dataclasses.asdict(gpu) for gpu in gpus()],
        seconds=time.perf_counter() - start,
    )


def _prepare(plan: Plan, workload: Workload, scratch: Path, log: RunLog, observer: Observer) -> PreparedWorkload:
    """Prepare the data, the batches' order and the canonical parameters of a workload."""
    given = Path(plan.data) if plan.data else None
    dataset = datasets.prepare(workload.dataset, given, cache_folder() / "data", say=observer.say)
    prepared = prepare_workload(workload, dataset, scratch, plan.seed)
    log.append(
        "data",
        workload=workload.name,
        kind=dataset.kind,
        classes=max(len(dataset.class_names), 1),
        epoch_samples=prepared.steps_per_epoch * workload.batch_size,
        seconds=dataset.preparation_seconds,
    )
    return prepared


@contextlib.contextmanager
def _storage_errors(folder: Path) -> Iterator[None]:
    """Turn a file that can't be read or written, as on a full disk, into a message."""
    try:
        yield
    except OSError as error:
        # NumPy's own message about a write that was cut short has no error number.
        again = f"What was measured is safe; go on with: rosetta run --resume {folder}"
        raise storage_error(error, folder, safe=again) from error


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does, with the workers gone and the log closed."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what a signal does; whoever calls from another has it in hand
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
