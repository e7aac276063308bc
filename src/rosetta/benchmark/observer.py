"""What a caller may watch of a run."""

from rosetta.record.events import Event


class Observer:
    """What a caller may watch; every method may be left as it is."""

    def say(self, sentence: str) -> None:
        """Take a sentence about what is being prepared."""

    def state(self, workload: str, label: str, state: str) -> None:
        """Take an arm's new state."""

    def event(self, event: Event) -> None:
        """Take an event that was just written to the log."""
