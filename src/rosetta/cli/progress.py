"""Shows a run as it goes: a live table on a terminal, one line an event where the output is piped."""

import contextlib
import time
from types import TracebackType
from typing import Self

from rich.live import Live

from rosetta.benchmark.observer import Observer
from rosetta.cli.console import HarmlessConsole
from rosetta.record.derive import derive
from rosetta.record.events import Event
from rosetta.record.plan import Plan
from rosetta.record.precision import EVENT
from rosetta.record.result import Protocol
from rosetta.report.live import LiveHeader, LiveRow, LiveWorkload, Stage, live_view
from rosetta.report.sentences import rounds_words
from rosetta.report.status import reason_words, status_words

_REDRAW_SECONDS = 0.5
_PROSE = ("importing", "installing", "proving", "compiling", "failed", "evaluating")


class Watch(Observer):
    """Draws only when something is reported, which is never while a chunk runs: drawing must not disturb the clocks."""

    def __init__(self, plan: Plan, console: HarmlessConsole):
        self._plan = plan
        self._console = console
        self._start = time.monotonic()
        self._drawn = 0.0
        self._launches: list[float] = []
        self._launches_in_all = plan.launches
        self._phase = "preparing"
        self._current = plan.workloads[0]
        self._events: list[Event] = []
        self._states: dict[tuple[str, str], str] = {}
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.redraws else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def say(self, sentence: str) -> None:
        """Print a sentence above the table."""
        self._console.say(sentence)

    def state(self, workload: str, label: str, state: str) -> None:
        """Note an arm's state; what takes long is drawn at once."""
        if self._plan.epochs:
            state = state.replace(", round ", ", epoch ")
        self._states[workload, label] = state
        self._current = workload or self._current
        self._phase = f"{workload}: {state}" if workload else state
        self._draw(at_once=state in _PROSE)

    def event(self, event: Event) -> None:
        """Keep the event for the figures; without a terminal, print the ones that matter."""
        self._events.append(event)
        if event["event"] == EVENT:
            self._launches_in_all = event["launches"]
        if event["event"] == "launch":
            self._launches.append(time.monotonic())
        if self._live:
            return
        line = self._line(event)
        if line:
            self.say(line)

    def _line(self, event: Event) -> str:
        match event["event"]:
            case "environments":
                return f"environments ready after {event['seconds']:.0f} s"
            case "proof":
                verdict = "the same network" if event["passed"] else "NOT the same network"
                return f"{event['workload']}: {event['label']}: {verdict}"
            case "failure":
                what = "no implementation" if event["stage"] == "plan" else f"failed: {event['stage']}"
                return f"{event['workload']}: {event['label']}: {what}: {event['reason']}"
            case "environment" if event["reason"]:
                return f"{event['label']}: unavailable: {event['reason']}"
            case "accuracy" if self._plan.epochs:
                accuracy = f"{event['correct'] / event['count']:.1%} of test samples right"
                return f"{event['workload']}: {event['label']}: {accuracy} after epoch {event['round'] + 1}"
            case "rounds":
                return f"{event['workload']}: rounds: {rounds_words(self._protocol(), event['workload'])}"
            case "launch":
                return f"launch {event['launch'] + 1} of {self._launches_in_all} done"
            case kind if kind == EVENT:
                precision, held = f"± {100 * (self._plan.precision or 0):g} %", event["launches"] == event["most"]
                words = f"what {event['minutes']:g} minutes hold" if held else f"for intervals of {precision}"
                return f"{event['launches']} launches in all, {words}: decided by the first {event['first_launches']}"
        return ""

    def _protocol(self) -> Protocol:
        return derive(self._plan, "", self._events).protocol

    def _draw(self, at_once: bool) -> None:
        now = time.monotonic()
        if self._live is None or (not at_once and now - self._drawn < _REDRAW_SECONDS):
            return
        self._drawn = now
        self._live.update(live_view(self._header(now), self._workloads()), refresh=True)

    def _header(self, now: float) -> LiveHeader:
        elapsed, total = now - self._start, None
        if self._launches:
            each = (self._launches[-1] - self._start) / len(self._launches)
            total = elapsed + max(0.0, each * self._launches_in_all - elapsed)
        return LiveHeader(self._phase, elapsed, total)

    def _workloads(self) -> list[LiveWorkload]:
        shown = []
        figures = {}
        data = {}
        rounds = {}
        with contextlib.suppress(KeyError):  # before the machine is described there is nothing to derive
            result = derive(self._plan, "", self._events)
            figures = {(w.workload, c.name): c for w in result.results for c in w.contenders}
            data = {w.workload: w.data for w in result.results}
            rounds = {name: rounds_words(result.protocol, name) for name in result.protocol.rounds_bound}
        labels = list(dict.fromkeys(label for _, label in self._states)) or self._plan.contenders
        for name in self._plan.workloads:
            rows = []
            for label in labels:
                found = figures.get((name, label))
                state = self._states.get((name, label)) or self._states.get(("", label), "waiting")
                if found is not None and found.reason:
                    state = f"{status_words(found)}: {reason_words(found)}"
                figures_so_far = (found.samples_per_second, found.ratio) if found is not None else (None, None)
                rows.append(LiveRow(label, state, *figures_so_far))
            begun = any(row.samples_per_second is not None for row in rows) or any(w == name for w, _ in self._states)
            stage: Stage = "current" if name == self._current else "measured" if begun else "waiting"
            title = self._plan.workload(name).title
            shown.append(LiveWorkload(title, data.get(name, "preparing"), rows, name, stage, rounds.get(name, "")))
        return shown
