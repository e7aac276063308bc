"""A run's events by kind, workload and label."""

import statistics
from collections.abc import Sequence
from typing import Any

from rosetta.record.events import Event
from rosetta.record.failures import RETRIED


class Index:
    """The events by kind, workload and label, so that 100,000 chunks are gone through once."""

    def __init__(self, events: Sequence[Event]):
        self.by_kind: dict[str, list[Event]] = {}
        self._by_key: dict[tuple[str, str | None, str | None], list[Event]] = {}
        self._sessions: dict[tuple[str, int, int], dict[str, int]] = {}
        """By workload, launch and round: in which session whose chunk was timed."""
        for event in events:
            if event["event"] == "proof":  # what a timed process showed before belongs to the proof before
                self._by_key.pop(("timed_proof", event["workload"], event["label"]), None)
            elif event["event"] == RETRIED:
                self._by_key.pop(("failure", event["workload"], event["label"]), None)
            elif event["event"] == "chunk":
                key = event["workload"], event["launch"], event["round"]
                self._sessions.setdefault(key, {})[event["label"]] = len(self.by_kind.get("session", []))
            self.by_kind.setdefault(event["event"], []).append(event)
            key = (event["event"], _text(event.get("workload")), _text(event.get("label")))
            self._by_key.setdefault(key, []).append(event)

    def of(self, kind: str, label: str | None = None, workload: str | None = None) -> list[Event]:
        """Return the events of a kind about that label and workload."""
        return self._by_key.get((kind, workload, label), [])

    def rounds_apart(self, label: str, workload: str) -> int:
        """Count the rounds in which that chunk was timed in another session than most of the round's."""
        rounds = [labels for (name, _, _), labels in self._sessions.items() if name == workload and label in labels]
        return sum(labels[label] != statistics.mode(sorted(labels.values())) for labels in rounds)

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
