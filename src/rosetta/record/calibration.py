"""A/A comparisons: how often, and by how much, the tool would see a difference that isn't there."""

from collections.abc import Sequence
from dataclasses import dataclass

from rosetta.record.events import Event
from rosetta.record.failures import contender_events, standing_failures
from rosetta.record.plan import Plan
from rosetta.record.speeds import log_rates
from rosetta.record.statistics import Estimate, LogRates, ratio


@dataclass(frozen=True)
class Comparison:
    """One comparison of a contender with itself, perhaps slowed."""

    planted: float
    estimate: Estimate
    measured_seconds: float


def comparisons(plan: Plan, events: Sequence[Event]) -> list[Comparison]:
    """Cut a calibration run into its comparisons of several launches each; planted slowdowns have their own.

    A complete comparison holds every chunk of its launches; an unfinished last one is left out. A run whose
    contender couldn't be measured throughout has none, nor has one whose record doesn't say who was measured.
    """
    batch_size = plan.workload(plan.workloads[0]).batch_size
    chunks = [event for event in events if event["event"] == "chunk"]
    labels = [event["label"] for event in contender_events(events) if not event["reason"]]
    slowdowns = [0.0, *plan.planted_slowdowns]
    if standing_failures(events) or len(labels) != 2 * len(slowdowns):
        return []
    done = {event["launch"] for event in events if event["event"] == "launch"}
    found = []
    for first in range(0, plan.launches, plan.comparison_launches):
        wanted = range(first, first + plan.comparison_launches)
        if not done.issuperset(wanted):
            continue
        mine = [event for event in chunks if event["launch"] in wanted]
        rates: dict[str, LogRates] = {
            label: log_rates((c for c in mine if c["label"] == label), batch_size) for label in labels
        }
        seconds = {label: sum(c["seconds"] for c in mine if c["label"] == label) for label in labels}
        pairs = zip(labels[::2], labels[1::2], slowdowns, strict=True)
        for first_label, second_label, planted in pairs:
            if not rates[first_label].keys() & rates[second_label].keys():
                continue
            estimate = ratio(rates[second_label], rates[first_label], plan.confidence)
            found.append(Comparison(planted, estimate, seconds[first_label] + seconds[second_label]))
    return found
