"""Tries lessons: each one's runs, trainings, installations, gradients, in one directory; nothing is done twice."""

import contextlib
import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from rosetta import datasets
from rosetta.benchmark.lessons_left import minutes_left
from rosetta.benchmark.observer import Observer
from rosetta.benchmark.run import conduct
from rosetta.contenders.contender import Contender, parse_contender
from rosetta.contenders.manifest import Framework, frameworks
from rosetta.contenders.placement import placed, present
from rosetta.environments.build import build
from rosetta.environments.variables import HOST
from rosetta.environments.worker import end_orphans
from rosetta.errors import RosettaError, storage_error
from rosetta.lessons import find_lesson, lessons
from rosetta.lessons.edits import edited_copy
from rosetta.lessons.parts import Differentiating, Installing, Part, Race, Training, parts, wanted
from rosetta.lessons.spec import Accuracy, Comparison, Lesson, Preset, Side
from rosetta.models.session import temporary_folder, worker_session
from rosetta.models.train import TrainingObserver, train
from rosetta.paths import cache_folder, data_folder
from rosetta.record.directory import EVENTS, PLAN, RUNS, create, new_folder, run_folders, working_in
from rosetta.record.effects import seeds_needed
from rosetta.record.events import Event, RunLog, read_events
from rosetta.record.lessons import (
    GRADIENTS,
    INSTALLATIONS,
    LAUNCHES,
    QUICK_SEEDS,
    ROUNDS,
    LessonsPlan,
    LessonsResult,
    read_lessons_plan,
)
from rosetta.record.lessons import LESSONS as PLAN_OF_LESSONS
from rosetta.record.plan import Plan, read_plan
from rosetta.report.lessons import write_lessons
from rosetta.workloads import find_workload
from rosetta.workloads.order import training_data
from rosetta.workloads.spec import Workload

KIND = "lessons"
"""What the directory is called beside the time."""
_AT_ONCE = 1.0
"""Seconds: what took no more, a run that was over before, says nothing of the pace."""


class LessonsObserver:
    """What a caller may watch; every method may be left as it is."""

    def say(self, sentence: str) -> None:
        """Take a sentence about what is being done."""

    def run(self, plan: Plan) -> AbstractContextManager[Observer]:
        """Give an observer of one of the runs."""
        return contextlib.nullcontext(Observer())

    def training(self, contender: str) -> AbstractContextManager[TrainingObserver]:
        """Give an observer of one of the trainings."""
        return contextlib.nullcontext(TrainingObserver())


def try_lessons(
    names: str | Sequence[str] | None = None,
    *,
    preset: Preset = "quick",
    seed: int = 1,
    data: str | Path | None = None,
    data_as_is: bool = False,
    folder: str | Path | None = None,
    resume: str | Path | None = None,
    observer: LessonsObserver | None = None,
) -> LessonsResult:
    """Try lessons, by default all; return their verdicts.

    ``folder`` is the new directory, by default one below ``runs``; ``resume`` is that of lessons that were interrupted,
    which needs nothing else. Raises ``RosettaError`` where a lesson isn't known, or all that was asked for needs a GPU
    that isn't there; what can't be tried of a lesson is a result, with its reason.
    """
    observer = observer or LessonsObserver()
    if resume is not None:
        place = Path(resume)
        return _carry_out(read_lessons_plan(place), place, observer)
    chosen = [names] if isinstance(names, str) else list(names) if names is not None else list(lessons())
    if not chosen:
        raise RosettaError("No lesson is named.", "Name some, or leave them out for all; rosetta lessons lists them.")
    chosen = list(dict.fromkeys(find_lesson(name).name for name in chosen))
    there = data_folder(data)
    plan = LessonsPlan(
        lessons=chosen,
        preset=preset,
        seed=seed,
        data=str(there.absolute()) if there else None,
        data_as_is=data_as_is,
    )
    _check_gpu(plan)
    for workload in dict.fromkeys(c.workload for name in chosen for c in _comparisons(find_lesson(name), preset)):
        given = Path(plan.data) if plan.data else None
        datasets.check(find_workload(workload).dataset, given, cache_folder() / "data", as_is=data_as_is)
    place = Path(folder) if folder is not None else new_folder(RUNS, KIND)
    _create(plan, place)
    return _carry_out(plan, place, observer)


def _comparisons(lesson: Lesson, preset: Preset) -> list[Comparison]:
    return wanted(lesson, preset, bool(present()["cuda"]))


def _check_gpu(plan: LessonsPlan) -> None:
    """Raise ``RosettaError`` where nothing of what was asked for can be tried without the GPU that isn't there."""
    if not any(_comparisons(find_lesson(name), plan.preset) for name in plan.lessons):
        need = "needs" if len(plan.lessons) == 1 else "need"
        raise RosettaError(
            f"{', '.join(plan.lessons)} {need} a GPU, and there is none in this machine.",
            "rosetta lessons lists what this machine can try.",
        )


def _create(plan: LessonsPlan, folder: Path) -> None:
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            again = f"Name another, or: rosetta lesson --resume {folder}"
            begun = (folder / PLAN_OF_LESSONS).exists()
            raise RosettaError(f"{folder} exists and isn't an empty directory.", again if begun else "Name another.")
        folder.mkdir(parents=True, exist_ok=True)
        plan.write(folder)
    except OSError as error:
        raise storage_error(error, folder, "written") from error


def _carry_out(plan: LessonsPlan, folder: Path, observer: LessonsObserver) -> LessonsResult:
    with working_in(folder), RunLog(folder / EVENTS) as log:
        start = time.perf_counter()
        end_orphans([event["host"] for event in log.events if event["event"] == "session" and event.get("host")])
        log.append("session", time=datetime.now(UTC).isoformat(timespec="seconds"), pid=os.getpid(), host=HOST)
        try:
            _Teacher(plan, folder, log, observer).conduct()
        except BaseException as error:
            with contextlib.suppress(RosettaError):
                log.append("interrupted", seconds=time.perf_counter() - start, reason=type(error).__name__)
                write_lessons(folder)
            raise
        log.append("end", seconds=time.perf_counter() - start)
        return write_lessons(folder)


class _Teacher:
    """Does the parts of all lessons, one after the other; a part that fails is recorded and costs no other."""

    def __init__(self, plan: LessonsPlan, folder: Path, log: RunLog, observer: LessonsObserver):
        self._plan, self._folder, self._log, self._observer = plan, folder, log, observer
        self._known = frameworks()
        self._copies = cache_folder() / "lessons"

    def conduct(self) -> None:
        """Do what isn't done yet."""
        chosen = [(name, self._parts(find_lesson(name))) for name in self._plan.lessons]
        waiting, done, seconds = [part for _, found in chosen for part in found], list[Part](), 0.0
        for number, (name, found) in enumerate(chosen, 1):
            for part in found:
                if self._is_done(part):
                    waiting.remove(part)
                    continue
                minutes = minutes_left(done, waiting, seconds)
                left = f"; about {minutes} min left" if minutes is not None else ""
                self._observer.say(f"lesson {name} ({number} of {len(chosen)}): {_words(part)}{left}")
                began = time.perf_counter()
                try:
                    self._do(part)
                except RosettaError as error:
                    for label in _labels(part):
                        self._log.append(
                            "not_tried", lesson=name, label=label, workload=_workload(part), reason=error.cause
                        )
                    self._observer.say(f"{_words(part)}: {error.cause} {error.remedy or ''}".rstrip())
                waiting.remove(part)
                if (took := time.perf_counter() - began) > _AT_ONCE:
                    done.append(part)
                    seconds += took
            if found:
                write_lessons(self._folder)

    def _parts(self, lesson: Lesson) -> list[Part]:
        comparisons = _comparisons(lesson, self._plan.preset)
        seeds = {c: self._seeds(c) for c in comparisons if isinstance(c, Accuracy)}
        return parts(lesson, comparisons, seeds, INSTALLATIONS[self._plan.preset])  # type: ignore[arg-type]

    def _seeds(self, comparison: Accuracy) -> int:
        needed = seeds_needed(comparison.effect, comparison.sd, self._plan.confidence)
        return min(needed, QUICK_SEEDS) if self._plan.preset == "quick" else needed

    def _is_done(self, part: Part) -> bool:
        """Whether the record has a part; one that couldn't be tried in an earlier session is tried again."""
        match part:
            case Training():
                return any(
                    e["event"] == "trained"
                    and e["lesson"] == part.lesson
                    and (e["label"], e["workload"], e["epochs"], e["seed"]) == part.key
                    for e in self._log.events
                )
            case Installing():
                return any(
                    e["event"] == "installed"
                    and e["lesson"] == part.lesson
                    and (e["label"], e["workload"], e["repetition"]) == part.key
                    for e in self._log.events
                )
            case Differentiating():
                return any(
                    e["event"] == "gradients" and e["lesson"] == part.lesson and (e["label"], e["workload"]) == part.key
                    for e in self._log.events
                )
            case Race():
                return False  # a run that is over says so by itself, and at once

    def _do(self, part: Part) -> None:
        match part:
            case Race():
                self._race(part)
            case Training():
                self._train(part)
            case Installing():
                self._install(part)
            case Differentiating():
                self._differentiate(part)

    def _race(self, race: Race) -> None:
        folder = self._folder / race.folder
        if not (folder / PLAN).exists():
            measured = race.kind == "run"
            plan = Plan(
                race.workload,
                self._names(race.sides),
                kind=race.kind,
                launches=LAUNCHES[self._plan.preset] if measured else None,
                rounds=ROUNDS[self._plan.preset] if measured else None,
                test_samples=0,
                device="cpu",  # of the sides that name none, also where there is a GPU
                data=self._plan.data,
                data_as_is=self._plan.data_as_is,
                frameworks=self._folders(race.sides),
                other_networks=[side.label for side in race.sides if side.another_network] if measured else (),
                seed=self._plan.seed,
                confidence=self._plan.confidence,
            )
            create(plan, folder)
        with self._observer.run(read_plan(folder / PLAN)) as watch:
            conduct(folder, watch, proofs=self._proofs())

    def _names(self, sides: Sequence[Side]) -> list[str]:
        """Return the sides' names, each once: a GPU may be both named and where a side without a device is placed."""
        known = frameworks(self._folders(sides))
        return list(dict.fromkeys(placed(side.label, known).name for side in sides))

    def _proofs(self) -> list[Event]:
        """Return the proofs that the lessons' runs made so far: a side that several have is proven once."""
        return [
            {**event, "made_in": event.get("made_in") or folder.name}
            for folder in run_folders(self._folder)
            if (folder / EVENTS).exists()
            for event in read_events(folder / EVENTS)
            if event["event"] == "proof"
        ]

    def _folders(self, sides: Sequence[Side]) -> list[Path]:
        """Return the folders of the sides that have edits; each has one framework below it."""
        return [edited_copy(self._framework(side), side.name, side.edits, self._copies) for side in sides if side.edits]

    def _framework(self, side: Side) -> Framework:
        return parse_contender(side.contender, self._known).framework

    def _contender(self, side: Side) -> Contender:
        return parse_contender(side.label, frameworks(self._folders([side])))

    def _train(self, part: Training) -> None:
        start = time.perf_counter()
        with self._observer.training(part.side.label) as watch:
            weights = train(
                part.workload,
                self._contender(part.side),
                epochs=part.epochs,
                data=self._plan.data,
                data_as_is=self._plan.data_as_is,
                seed=self._plan.seed + part.seed - 1,
                observers=[watch],
            )
        label, workload, epochs, seed = part.key
        self._log.append(
            "trained",
            lesson=part.lesson,
            label=label,
            workload=workload,
            epochs=epochs,
            seed=seed,
            accuracy=float(weights.about["test_accuracy"]),
            data=weights.about["data"],
            seconds=time.perf_counter() - start,
        )

    def _install(self, part: Installing) -> None:
        """Build the environment in a new folder, start a worker in it, do one step; packages were downloaded before."""
        contender, workload = self._contender(part.side), find_workload(part.workload)
        if not any(e["event"] == "installed" and e["label"] == part.side.label for e in self._log.events):
            build(contender, self._observer.say)  # downloads what isn't there yet, outside the clock
        prepared = self._prepared(workload)
        with temporary_folder() as scratch:
            arrays, _ = training_data(workload, prepared, scratch / "order.npy", self._plan.seed)
            start = time.perf_counter()
            environment = build(contender, self._observer.say, scratch / "environments")
            with worker_session(contender, workload, arrays, seed=self._plan.seed, environment=environment) as client:
                client.load_parameters(workload.initial_parameters(self._plan.seed))
                client.run(0, 1, client.timeouts.first_step)
                seconds = time.perf_counter() - start
        label, name, repetition = part.key
        self._log.append(
            "installed", lesson=part.lesson, label=label, workload=name, repetition=repetition, seconds=seconds
        )

    def _differentiate(self, part: Differentiating) -> None:
        """Take the gradient's size at each seed's initial parameters, on a batch of its own, in one worker."""
        contender, workload = self._contender(part.side), find_workload(part.workload)
        prepared, sizes = self._prepared(workload), []
        with temporary_folder() as scratch:
            arrays, _ = training_data(workload, prepared, scratch / "order.npy", self._plan.seed)
            with worker_session(contender, workload, arrays, seed=self._plan.seed) as client:
                for number in range(GRADIENTS[self._plan.preset]):
                    client.load_parameters(workload.initial_parameters(self._plan.seed + number))
                    _, gradients = client.loss_and_gradients(number)
                    sizes.append(math.hypot(*(float(np.linalg.norm(array)) for array in gradients.values())))
        if not all(0 < size < math.inf for size in sizes):
            raise RosettaError(f"The gradients of {contender.name} on {workload.name} are zero, or not finite.")
        label, name = part.key
        self._log.append("gradients", lesson=part.lesson, label=label, workload=name, sizes=sizes)

    def _prepared(self, workload: Workload) -> datasets.PreparedDataset:
        given = Path(self._plan.data) if self._plan.data else None
        return datasets.prepare(
            workload.dataset, given, cache_folder() / "data", as_is=self._plan.data_as_is, say=self._observer.say
        )


def _words(part: Part) -> str:
    match part:
        case Race():
            verb = "measuring" if part.kind == "run" else "proving"
            return f"{verb} {', '.join(side.label for side in part.sides)} on {part.workload}"
        case Training():
            return f"training {part.side.label} on {part.workload.name}, seed {part.seed}"
        case Installing():
            return f"installing {part.side.label} from nothing, time {part.repetition + 1}"
        case Differentiating():
            return f"differentiating {part.side.label} on {part.workload}"


def _labels(part: Part) -> Iterator[str]:
    yield from (side.label for side in part.sides) if isinstance(part, Race) else (part.side.label,)


def _workload(part: Part) -> str:
    return part.workload.name if isinstance(part, Training) else part.workload
