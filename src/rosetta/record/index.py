"""A run's events by kind, workload and label."""

from collections.abc import Sequence
from typing import Any

from rosetta.record.events import Event


class Index:
    """The events by kind, workload and label, so that 100,000 chunks are gone through once."""

    def __init__(self, events: Sequence[Event]):
        self.by_kind: dict[str, list[Event]] = {}
        self._by_key: dict[tuple[str, str | None, str | None], list[Event]] = {}
        for event in events:
            if event["event"] == "proof":  # what a timed process showed before belongs to the proof before
                self._by_key.pop(("timed_proof", event["workload"], event["label"]), None)
            self.by_kind.setdefault(event["event"], []).append(event)
            key = (event["event"], _text(event.get("workload")), _text(event.get("label")))
            self._by_key.setdefault(key, []).append(event)

    def of(self, kind: str, label: str | None = None, workload: str | None = None) -> list[Event]:
        """Return the events of a kind about that label and workload."""
        return self._by_key.get((kind, workload, label), [])

    def total(self, kind: str, field: str) -> float:
        """Sum a field over all events of a kind."""
        return float(sum(event[field] for event in self.by_kind.get(kind, [])))

    def labels(self, workload: str) -> list[str]:
        """Return whom the proofs, failures and chunks of a workload are about, in their order."""
        kinds = ("proof", "failure", "chunk")
        return list(
            {e["label"]: None for kind in kinds for e in self.by_kind.get(kind, []) if e["workload"] == workload}
        )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
