"""Turns a run's directory into rows of a history, through the derivation that its result comes from."""

import hashlib
import json
import math
import os
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rosetta.errors import RosettaError, storage_error
from rosetta.files import read_regular
from rosetta.record.code import Code, read_code
from rosetta.record.directory import EVENTS, PLAN, read_run
from rosetta.record.events import LARGEST, Event
from rosetta.record.index import Index
from rosetta.record.lessons import LESSONS
from rosetta.record.plan import Plan, read_plan
from rosetta.record.result import ContenderResult, Equivalence, Machine, Result, WorkloadResult

Row = dict[str, Any]
_LENGTH = 16
"""Of digests, in hexadecimal digits: for a million runs one in 10⁷ that two are alike."""
_VERSION = re.compile(r"==[^\[\],@ ]+")
_NAME = re.compile(r"^(?P<framework>[\w.-]+)(?:==[^\[@ ]+)?(?:\[(?P<variants>[^\]]*)\])?")


@dataclass
class RunRows:
    """A run's rows by table."""

    run: Row
    results: list[Row]
    packages: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """Versions by package, by the digest of all of them."""
    log: bytes = b""
    """The whole lines of its events, by which a later state of a run is known from another run."""

    @property
    def id(self) -> str:
        """What no other run has."""
        return str(self.run["run"])


def known_by(folder: Path) -> tuple[str, bytes]:
    """Return what a run is known by, and the whole lines of its events; raise ``RosettaError`` where it has no plan."""
    if (folder / LESSONS).exists():
        raise RosettaError(f"{folder} holds lessons, not a run.", "Add the runs in it.")
    log, plan = _log(folder), read_plan(folder / PLAN)
    # The first line has the time and the process; a plan alone may have been made twice.
    return _digest([plan.kind, plan.workloads, plan.contenders, plan.seed, log.partition(b"\n")[0].hex()]), log


def run_rows(folder: Path) -> RunRows:
    """Return a run's rows; raise ``RosettaError`` where it has none, is damaged, or is of two runs."""
    identity, log = known_by(folder)
    plan, events, result = read_run(folder, compared=False)
    _check_of_one_run(folder, plan, events)
    code = read_code(folder) or {}
    index = Index(events)
    found = RunRows(_run(identity, str(folder.resolve()), plan, result, log), [], {}, log)
    for workload in result.results:
        for contender in workload.contenders:
            found.results += _results(identity, workload, contender, index, code)
            found.packages |= {_digest(contender.packages): contender.packages} if contender.packages else {}
    return found


def _log(folder: Path) -> bytes:
    """Return the whole lines of a run's events; of one under way, those that are there before it is derived."""
    try:
        log = read_regular(folder / EVENTS, LARGEST)
    except (FileNotFoundError, NotADirectoryError):
        return b""  # which the derivation has its words for
    except OSError as error:
        raise storage_error(error, folder / EVENTS, "read") from error
    return log[: log.rfind(b"\n") + 1]


def _check_of_one_run(folder: Path, plan: Plan, events: Sequence[Event]) -> None:
    """Raise ``RosettaError`` where the events are of another plan than the one beside them, or of two machines."""
    contenders = set(plan.contenders)
    for event in events:
        label, workload = event.get("label"), event.get("workload")
        stranger = (
            event["event"] == "environment" and str(label).partition(" (")[0] not in contenders and label,
            isinstance(workload, str) and workload not in plan.workloads and workload,
        )
        for name in filter(None, stranger):
            raise RosettaError(
                f"{folder} is of two runs: its events tell of {name}, its plan doesn't.",
                "Put each run's plan.json and events.jsonl into a directory of their own.",
            )
    machines = {(e["cpu"], e["cores"], e["memory_bytes"]) for e in events if e["event"] == "machine"}
    if len(machines) > 1:
        names = " and ".join(sorted(f"{cpu}, {cores} cores" for cpu, cores, _ in machines))
        raise RosettaError(f"{folder} is of several machines: {names}. Their times don't belong together.")


def _run(identity: str, folder: str, plan: Plan, result: Result, log: bytes) -> Row:
    machine = result.machine
    return {
        "run": identity,
        "name": result.run,
        "folder": folder,
        "kind": plan.kind,
        "started": _time(result.started),
        "complete": result.complete,
        "preset": plan.preset,
        "launches": result.protocol.launches,
        "epochs": plan.epochs,
        "one_at_a_time": plan.one_at_a_time,
        "seed": plan.seed,
        "confidence": plan.confidence,
        "wall_seconds": result.wall_seconds,
        "command": plan.command,
        "rosetta_version": plan.rosetta_version,
        "machine": machine_name(machine),
        "platform": machine.host_platform,
        "cpu": machine.cpu,
        "cores": machine.cores,
        "cpu_quota": machine.cpu_quota,
        "memory_bytes": machine.memory_bytes,
        "gpus": ", ".join(gpu.name for gpu in machine.gpus),
        "matmul_flops": machine.matmul_flops,
        "copy_bytes_per_second": machine.copy_bytes_per_second,
        "left_out": len(result.left_out),
        "log_bytes": len(log),
        "log_digest": hashlib.sha256(log).hexdigest(),
        "added": datetime.now(UTC).replace(tzinfo=None),
    }


def machine_name(machine: Machine) -> str:
    """Name a kind of machine: what must be alike for two runs to be looked at together."""
    gpus = [f"{machine.gpus[0].name} × {len(machine.gpus)}"] if machine.gpus else []
    quota = [f"{machine.cpu_quota:g} processors' worth of time"] if machine.cpu_quota else []
    return ", ".join([machine.cpu, f"{machine.cores} cores", *quota, f"{machine.memory_bytes / 2**30:.0f} GiB", *gpus])


def _results(
    identity: str, workload: WorkloadResult, contender: ContenderResult, index: Index, code: Code
) -> list[Row]:
    """Return a contender's rows on a workload: one a launch, or one without where it has none."""
    label = contender.name
    environment = next((e for e in reversed(index.by_kind.get("environment", [])) if e["label"] == label), {})
    worker = environment.get("worker", label)
    proofs = index.of("proof", label, workload.workload)
    common: Row = {
        "run": identity,
        "workload": workload.workload,
        "contender": label,
        "variant": _VERSION.sub("", label),
        "framework": contender.framework,
        "version": contender.version,
        "precision": contender.precision,
        "device": environment.get("device", "cpu"),
        "replicas": environment.get("replicas", 1),
        "data": workload.data,
        "batch_size": workload.batch_size,
        "status": contender.status,
        "reason": contender.reason,
        "proof": proof_word(contender.equivalence),
        "unproven": len(contender.equivalence.unproven) if contender.equivalence else None,
        "code": _code(label, code.get(workload.workload, {})),
        "framework_code": (proofs[-1].get("digests", {}) if proofs else {}).get("implementation"),
        "packages": _digest(contender.packages) if contender.packages else None,
    }
    by_launch: dict[int, Row] = {}

    def tell(launch: int, **values: Any) -> None:
        by_launch.setdefault(launch, {}).update(values)

    for event in index.of("import", worker):
        # A worker imports once a launch, for all workloads; it alone doesn't say that it came to this one.
        imported = {"import_seconds": event["import_seconds"]}
        if any(e["launch"] == event["launch"] for e in index.of("first_step", worker, workload.workload)):
            tell(event["launch"], **imported)
    for event in index.of("first_step", worker, workload.workload):
        tell(event["launch"], build_seconds=event["build_seconds"], first_step_seconds=event["first_step_seconds"])
    for event in index.of("closing", worker, workload.workload):
        tell(event["launch"], peak_memory_bytes=event["peak_bytes"], gpu_memory_bytes=event.get("gpu_bytes"))
    for accuracy in contender.accuracies:  # the last one of a launch stays
        tell(accuracy.launch, accuracy=accuracy.value, accuracy_after=accuracy.trained_samples)
    for launch in sorted({chunk.launch for chunk in contender.chunks}):
        chunks = [chunk for chunk in contender.chunks if chunk.launch == launch]
        last = max(chunks, key=lambda chunk: chunk.round)
        speeds = [math.log(chunk.samples / chunk.seconds) for chunk in chunks]
        tell(
            launch,
            rounds=len(chunks),
            samples=sum(chunk.samples for chunk in chunks),
            seconds=sum(chunk.seconds for chunk in chunks),
            samples_per_second=math.exp(statistics.fmean(speeds)),
            loss=last.loss,
        )
    rows: list[Row] = [common | values | {"launch": launch} for launch, values in sorted(by_launch.items())]
    return rows or [common]


def proof_word(proof: Equivalence | None) -> str | None:
    """Return the verdict of a proof; None where there is none."""
    return None if proof is None else "the same" if proof.passed else "not the same"


def _code(label: str, texts: Mapping[str, str]) -> str | None:
    """Return the digest of a contender's implementation as its run kept it, by the framework's name or a variant's."""
    match = _NAME.match(label)
    if match is None:
        return None
    framework, variants = match["framework"], (match["variants"] or "").split(",")
    own = [f"{framework}[{variant}]" for variant in variants]
    text = next((texts[name] for name in (*own, framework) if name in texts), None)
    return None if text is None else _digest(text)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:_LENGTH]


def _time(text: str) -> datetime | None:
    """Return a time in UTC without its zone, as the tables have it; None where it isn't known."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


def runs_below(folder: Path) -> list[Path]:
    """Return a folder itself where it is a run, else the runs in it, oldest first."""
    if os.path.lexists(folder / "plan.json") or not folder.is_dir():
        return [folder]
    return sorted(path.parent for path in folder.glob("*/plan.json")) or [folder]
