"""Conducts a whole run in its directory: environments, data, proof, measurement, result, page."""

import contextlib
import dataclasses
import fcntl
import os
import platform
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import psutil

from rosetta import datasets, machine
from rosetta.conductor import Conductor
from rosetta.contenders import Contender, parse_contender, parse_contenders
from rosetta.environments import Environment, EnvironmentFailure, build
from rosetta.errors import RosettaError
from rosetta.examination import Material
from rosetta.gpus import gpus
from rosetta.hints import hints
from rosetta.manifest import Framework, frameworks
from rosetta.paths import cache_folder
from rosetta.plan import Plan, read_plan
from rosetta.prover import Prover
from rosetta.race import Course, Entrant, Race, file_name
from rosetta.report.page import render_page
from rosetta.result import Result
from rosetta.results import derive
from rosetta.run_log import Event, RunLog, read_events
from rosetta.training_data import training_data
from rosetta.workers import HOST, end_orphans
from rosetta.workloads import find_workload
from rosetta.workloads.spec import Workload

BUILDERS_AT_ONCE = 2


class Observer:
    """What a caller may watch; every method may be left as it is."""

    def say(self, sentence: str) -> None:
        """Take a sentence about what is being prepared."""

    def state(self, workload: str, label: str, state: str) -> None:
        """Take an entrant's new state."""

    def event(self, event: Event) -> None:
        """Take an event that was just written to the log."""


def create(plan: Plan, folder: Path) -> None:
    """Make a run's directory with its plan; raise ``RosettaError`` if it is taken."""
    for name in plan.workloads:
        find_workload(name)
    parse_contenders(plan.contenders, frameworks([Path(f) for f in plan.frameworks]))
    if folder.exists() and not folder.is_dir():
        raise RosettaError(f"{folder} exists and isn't a directory.", "Name another.")
    if folder.exists() and any(folder.iterdir()):
        is_run = (folder / "plan.json").exists()
        remedy = f"Name another, or: rosetta run --resume {folder}" if is_run else "Name another."
        raise RosettaError(f"{folder} exists and isn't empty.", remedy)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        plan.write(folder / "plan.json")
    except OSError as error:
        raise RosettaError(f"{folder} can't be written: {error.strerror}.", "Name another.") from error


def conduct(folder: Path, observer: Observer) -> Result:
    """Carry out the plan in ``folder``, or what of it isn't done yet; return the result.

    Whatever happens, the log is closed, the workers are gone and the result and page of what there is are written.
    """
    plan = read_plan(folder / "plan.json")
    with (
        _storage_errors(folder),
        _locked(folder),
        _interruptible(),
        RunLog(folder / "events.jsonl", observer.event) as log,
    ):
        if any(event["event"] == "end" for event in log.events):
            return write_report(folder)
        start = time.perf_counter()
        # What a killed session left running would disturb this one; nobody else works in this folder.
        end_orphans([event["host"] for event in log.events if event["event"] == "session"])
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


def read_result(folder: Path) -> Result:
    """Derive the result of a run from its plan and events."""
    plan = read_plan(folder / "plan.json")
    path = folder / "events.jsonl"
    events = read_events(path) if path.exists() else []
    if not any(event["event"] == "machine" for event in events):
        raise RosettaError(f"{folder} has no results yet.", f"Go on with it: rosetta run --resume {folder}")
    return derive(plan, folder.name, events)


def write_report(folder: Path) -> Result:
    """Write ``result.json`` and ``report.html`` from the events, whole or not at all."""
    result = read_result(folder)
    text = result.model_dump_json(by_alias=True, indent=1)
    Result.model_validate_json(text)
    _replace(folder / "result.json", text + "\n")
    _replace(folder / "report.html", render_page(result, sources(read_plan(folder / "plan.json"))))
    return result


def sources(plan: Plan) -> dict[str, dict[str, str]]:
    """Return the implementations' texts by workload and framework, the reference's too."""
    known = frameworks([Path(f) for f in plan.frameworks])
    named = {c.text_name: c for c in (parse_contender(text, known) for text in plan.contenders)}
    named |= {"numpy": Contender(known["numpy"])}
    found: dict[str, dict[str, str]] = {}
    for workload in plan.workloads:
        module = find_workload(workload).module
        paths = {name: contender.implementation(module) for name, contender in named.items()}
        found[workload] = {name: path.read_text("utf-8") for name, path in paths.items() if path.exists()}
    return found


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        remedy = f"Free some space, then: rosetta report {path.parent}"
        raise RosettaError(f"{path} could not be written: {error.strerror}.", remedy) from error


def _carry_out(plan: Plan, folder: Path, log: RunLog, observer: Observer) -> None:
    known = frameworks([Path(f) for f in plan.frameworks])
    contenders = parse_contenders(dict.fromkeys(plan.contenders), known)
    workloads = [find_workload(name) for name in plan.workloads]
    for hint in hints(contenders, workloads):
        observer.say(hint)
    _describe_machine(plan, contenders, log)
    environments = _build(plan, contenders, known, log, observer)
    entrants = _entrants(plan, contenders, environments)
    numpy = Contender(known["numpy"])
    try:
        numpy_environment = build(numpy)
    except EnvironmentFailure as failure:
        raise RosettaError(f"The reference can't be computed. {failure.cause}", failure.remedy) from failure
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    courses = [_course(plan, workload, scratch, log, observer) for workload in workloads]
    _register(plan, entrants, contenders, environments, workloads, log)
    race = Race(plan, log, folder, entrants, observer.state)
    prover = Prover(race, Entrant("numpy", numpy, numpy_environment, "numpy"), cache_folder() / "reference")
    if plan.kind == "verify":
        with contextlib.closing(prover):
            for course in courses:
                prover.prove(course, entrants)
    else:
        Conductor(race, prover, courses).conduct()
    for file in scratch.iterdir():
        file.unlink()
    scratch.rmdir()


def _describe_machine(plan: Plan, contenders: Sequence[Contender], log: RunLog) -> None:
    if any(event["event"] == "machine" for event in log.events):
        return
    measured = plan.kind == "run"
    log.append(
        "machine",
        platform=platform.platform(),
        cpu=machine.cpu_name(),
        cores=len(plan.affinity),
        memory_bytes=psutil.virtual_memory().total,
        device=" and ".join(sorted({contender.device for contender in contenders})),
        matmul_flops=machine.matmul_flops() if measured else None,
        copy_bytes_per_second=machine.copy_bytes_per_second() if measured else None,
        gpus=[dataclasses.asdict(gpu) for gpu in gpus()],
    )


def _build(
    plan: Plan, contenders: list[Contender], known: dict[str, Framework], log: RunLog, observer: Observer
) -> dict[str, Environment | str]:
    """Build the environments, some at once; a failure is the text of its reason."""

    def attempt(contender: Contender) -> Environment | str:
        try:
            return build(contender)
        except EnvironmentFailure as failure:
            return str(failure)

    start = time.perf_counter()
    found: dict[str, Environment | str] = {}
    with ThreadPoolExecutor(BUILDERS_AT_ONCE) as pool:
        for contender in contenders:
            observer.state("", contender.name, "installing")
        futures = {contender.name: pool.submit(attempt, contender) for contender in contenders}
        try:
            for name, future in futures.items():
                found[name] = future.result()
                observer.state("", name, "installed" if isinstance(found[name], Environment) else "unavailable")
        except BaseException:
            # Leaving the pool waits for the installers, so they have to end first.
            pool.shutdown(wait=False, cancel_futures=True)
            for installer in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    installer.kill()
            raise
    log.append("environments", seconds=time.perf_counter() - start)
    return found


def _entrants(plan: Plan, contenders: list[Contender], environments: dict[str, Environment | str]) -> list[Entrant]:
    entrants = []
    for contender in contenders:
        environment = environments[contender.name]
        if isinstance(environment, str):
            continue
        if plan.kind != "calibrate":
            entrants.append(Entrant(contender.name, contender, environment, contender.name))
            continue
        # Each slowdown has an A of its own, so that both workers are asked equally often.
        for slowdown in (0.0, *plan.planted_slowdowns):
            for worker, slow in (("A", 0.0), ("A′", slowdown)):
                note = f", against {slowdown:.0%} slower" if worker == "A" else f", slowed by {slowdown:.0%}"
                label = f"{contender.name} ({worker}{note if slowdown else ''})"
                entrants.append(Entrant(label, contender, environment, f"{contender.name} ({worker})", slow))
    return entrants


def _register(
    plan: Plan,
    entrants: list[Entrant],
    contenders: list[Contender],
    environments: dict[str, Environment | str],
    workloads: list[Workload],
    log: RunLog,
) -> None:
    """Record each line of the result, the contenders that can't run too, and what has changed since it was recorded."""
    recorded = {event["label"]: event["reason"] for event in log.events if event["event"] == "environment"}
    failed = {(event["workload"], event["label"]) for event in log.events if event["event"] == "failure"}
    rows: list[tuple[str, str, Contender, str]] = [(e.label, e.worker, e.contender, "") for e in entrants]
    for contender in contenders:
        reason = environments[contender.name]
        if isinstance(reason, str):
            rows.append((contender.name, contender.name, contender, reason))
    for label, worker, contender, reason in rows:
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
                notes={w.name: contender.note(w.module) for w in workloads},
                measures=plan.kind != "verify",
            )
        for workload in workloads:
            why = contender.why_not(workload.module)
            if why and not reason and (workload.name, label) not in failed:
                log.append("failure", workload=workload.name, label=label, stage="plan", reason=why)


def _course(plan: Plan, workload: Workload, scratch: Path, log: RunLog, observer: Observer) -> Course:
    """Prepare the data, the batches' order and the canonical parameters of a workload."""
    given = Path(plan.data) if plan.data else None
    prepared = datasets.prepare(workload.dataset, given, cache_folder() / "data", say=observer.say)
    order_file = (scratch / f"{file_name(workload.name)}-order.npy").resolve()
    data, steps = training_data(workload, prepared, order_file, plan.seed)
    log.append(
        "data",
        workload=workload.name,
        kind=prepared.kind,
        classes=max(len(prepared.class_names), 1),
        epoch_samples=steps * workload.batch_size,
        seconds=prepared.preparation_seconds,
    )
    parameters = workload.initial_parameters(plan.seed)
    material = Material(workload, data, parameters, scratch.resolve(), plan.seed, plan.timeouts.proving)
    return Course(workload, data, steps, material)


@contextlib.contextmanager
def _storage_errors(folder: Path) -> Iterator[None]:
    """Turn a file that can't be read or written, as on a full disk, into a message."""
    try:
        yield
    except OSError as error:
        # NumPy's own message about a write that was cut short has no error number.
        raise RosettaError(
            f"{error.filename or folder} can't be used: {error.strerror or error}.",
            f"What was measured is safe. Check the disk's free space, then: rosetta run --resume {folder}",
        ) from error


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the run's lock; the kernel releases it however the process ends."""
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            remedy = "Wait for it, or give this run another --out."
            raise RosettaError(f"Another process is working in {folder}.", remedy) from None
        yield


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


def run_folders(root: Path) -> list[Path]:
    """Return the runs below a folder, oldest first."""
    return sorted(path.parent for path in root.glob("*/plan.json"))


def new_folder(root: Path, plan: Plan) -> Path:
    """Name a run's directory by its time and kind, and with a number where another began in the same second."""
    first = folder = root / f"{datetime.now():%Y-%m-%dT%H-%M-%S}-{plan.kind}"
    number = 1
    while folder.exists():
        number += 1
        folder = first.with_name(f"{first.name}-{number}")
    return folder
