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
from rosetta.benchmark.own import prepare_own, with_packages
from rosetta.benchmark.prover import Prover
from rosetta.benchmark.scheduler import Scheduler
from rosetta.contenders.contender import Contender, parse_contenders
from rosetta.contenders.hints import hints
from rosetta.contenders.manifest import Framework, frameworks, reference
from rosetta.environments.build import EnvironmentFailure, build
from rosetta.environments.variables import HOST
from rosetta.environments.worker import end_orphans
from rosetta.errors import RosettaError, storage_error
from rosetta.files import discard, scratch_folder
from rosetta.machine import cpu
from rosetta.machine.gpu import gpus
from rosetta.networks.raced import OwnWorkload
from rosetta.paths import cache_folder
from rosetta.record.code import keep_code
from rosetta.record.directory import EVENTS, PLAN, working_in
from rosetta.record.events import Event, RunLog
from rosetta.record.failures import is_over
from rosetta.record.plan import Plan, read_plan
from rosetta.report.run_result import RunResult
from rosetta.report.write import write_report
from rosetta.workloads.prepared import PreparedWorkload, prepare_workload
from rosetta.workloads.spec import Workload


def conduct(folder: Path, observer: Observer, data: Path | None = None, proofs: Sequence[Event] = ()) -> RunResult:
    """Carry out the plan in ``folder``, or what of it isn't done yet; return the result.

    ``data`` is where the plan's data folder lies now, if it was moved. ``proofs`` of other runs aren't made again where
    all that they depend on is the same. Whatever happens, the log is closed, the workers
    are gone and the result and page of what there is are written. Raises ``RosettaError`` where it would be another
    run: on other data, with other packages or other code than it was begun with.
    """
    plan = read_plan(folder / PLAN)
    with (
        _storage_errors(folder),
        working_in(folder),
        _interruptible(),
        RunLog(folder / EVENTS, observer.event) as log,
    ):
        if is_over(log.events):
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
            _carry_out(plan, folder, log, observer, data, proofs)
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
    places = [*plan.frameworks, *(raced.folder for raced in plan.own.values())]
    inside = [place for place in places if Path(os.path.realpath(place)).is_relative_to(os.path.realpath(folder))]
    if inside:
        raise RosettaError(
            f"{folder / PLAN} names a folder of code in the run's own directory, {inside[0]}: its code isn't run.",
            "If you trust it, move it elsewhere and name it in plan.json.",
        )
    if log.events and places:
        observer.say(f"Code is run that {folder / PLAN} names: {', '.join(places)}")


def _carry_out(
    plan: Plan, folder: Path, log: RunLog, observer: Observer, data: Path | None, proofs: Sequence[Event]
) -> None:
    known = frameworks([Path(f) for f in plan.frameworks])
    contenders = with_packages(parse_contenders(dict.fromkeys(plan.contenders), known), plan)
    workloads = [plan.workload(name) for name in plan.workloads]
    for hint in hints(contenders, workloads):
        observer.say(hint)
    _describe_machine(plan, contenders, log)
    environments = build_environments(contenders, log, observer)
    arms = arms_of(plan, contenders, environments)
    numpy = Contender(reference())
    try:
        numpy_environment = build(numpy, observer.say)
    except EnvironmentFailure as failure:
        raise RosettaError(f"The reference can't be computed. {failure.cause}", failure.remedy) from failure
    if data is not None:
        plan = plan.model_copy(update={"data": str(data.absolute())})
    with scratch_folder(_scratch(folder, HOST)) as scratch:
        prepared = [
            _prepare_own(plan, workload, known, scratch, log)
            if isinstance(workload, OwnWorkload)
            else _prepare(plan, workload, scratch, log, observer)
            for workload in workloads
        ]
        if data is not None:  # and its content is what it was
            plan.write(folder / PLAN)
        register(plan, arms, contenders, environments, workloads, log)
        context = RunContext(plan, log, folder, scratch, arms, observer.state)
        numpy_arm = Arm("numpy", numpy, numpy_environment, "numpy")
        prover = Prover(context, numpy_arm, cache_folder() / "reference", observer.say, proofs)
        for sentence in [*context.try_again(), *prover.forget_changed(prepared, arms)]:
            observer.say(sentence)
        _keep_code(folder, plan, arms, prover)
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
    dataset = datasets.prepare(
        workload.dataset, given, cache_folder() / "data", as_is=plan.data_as_is, say=observer.say
    )
    _check_same_data(workload, dataset.kind, dataset.digest, log)
    prepared = prepare_workload(workload, dataset, scratch, plan.seed)
    log.append(
        "data",
        workload=workload.name,
        kind=dataset.kind,
        digest=dataset.digest,
        classes=max(len(dataset.class_names), 1),
        epoch_samples=prepared.steps_per_epoch * workload.batch_size,
        seconds=dataset.preparation_seconds,
    )
    return prepared


def _prepare_own(
    plan: Plan, workload: OwnWorkload, known: dict[str, Framework], scratch: Path, log: RunLog
) -> PreparedWorkload:
    """Make the samples of a network of one's own."""
    start = time.perf_counter()
    prepared = prepare_own(plan, workload.name, known, scratch)
    kind, digest = workload.raced.data, str(prepared.data["digest"])
    _check_same_data(workload, kind, digest, log)
    log.append(
        "data",
        workload=workload.name,
        kind=kind,
        digest=digest,
        classes=1,
        epoch_samples=prepared.steps_per_epoch * workload.batch_size,
        seconds=time.perf_counter() - start,
    )
    return prepared


def _check_same_data(workload: Workload, kind: str, digest: str, log: RunLog) -> None:
    """Raise ``RosettaError`` where the run was begun on other data; older logs know only of what kind they were."""
    for event in log.events:
        if event["event"] != "data" or event["workload"] != workload.name:
            continue
        if event["kind"] != kind:
            difference = f"on {event['kind']} data, and here they are {kind}"
        elif event.get("digest", digest) != digest:
            difference = f"on other {kind} data than these"
        else:
            continue
        raise RosettaError(
            f"This run was begun {difference} ({workload.name}).",
            "Give the folder that has those with --data, or begin a new run.",
        )


def _keep_code(folder: Path, plan: Plan, arms: Sequence[Arm], prover: Prover) -> None:
    """Keep the code that is proven and timed; what is proven already keeps what it had."""

    def begun(workload: str, name: str) -> bool:
        return any(prover.begun(workload, arm.label) for arm in arms if arm.contender.implementation_name == name)

    keep_code(folder, plan, begun)


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
