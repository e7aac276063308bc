"""One run of a lesson, as far as it got: which of its contenders a side is, and why one has no figures."""

from pathlib import Path

from rosetta.lessons.spec import Side
from rosetta.record.directory import read_run
from rosetta.record.events import Event
from rosetta.record.index import Index
from rosetta.record.plan import Plan
from rosetta.record.result import ContenderResult, Result

NOTHING = "it wasn't tried yet"


class LessonRun:
    """One run of a lesson, as far as it got."""

    def __init__(self, folder: Path):
        self.plan: Plan
        self.events: list[Event]
        self.result: Result
        self.plan, self.events, self.result = read_run(folder)
        self.index = Index(self.events)
        self.contenders = {c.name: c for each in self.result.results for c in each.contenders}

    def why_not(self, side: Side) -> str:
        """Return why a side has no figures; empty where it has."""
        found = self.contenders.get(name_in(side, self.plan))
        if found is None:
            return NOTHING
        if found.status in ("ok", "not_equivalent") and (found.status == "ok" or side.another_network):
            return ""
        return found.reason or NOTHING

    def contender(self, side: Side) -> ContenderResult:
        """Return what came of a side, of which ``why_not`` has nothing to say."""
        return self.contenders[name_in(side, self.plan)]


def name_in(side: Side, plan: Plan) -> str:
    """Return what a side is called in a run, where contenders that name no device may have been placed on a GPU."""
    if "@" in side.label:
        return side.label
    return next((name for name in plan.contenders if name.partition("@")[0] == side.label), side.label)
