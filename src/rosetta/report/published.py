"""Sets published times and this run's beside each other: the same amount of work, other machines, other years."""

import re
from dataclasses import dataclass

from rosetta.record.result import WorkloadResult
from rosetta.report.numbers import number
from rosetta.report.ranking import marked_name, ranked

CAUTION = (
    "The machines are of different kinds and years apart, so the times of two lists can't be compared with each other: "
    "only the order within each list says something. The times measured here follow from samples/s, without start, "
    "compilation and evaluation."
)

_AMOUNT = re.compile(r"(?:(?P<count>[\d,]+) )?(?P<unit>epochs?|images)")


@dataclass(frozen=True)
class Times:
    """What frameworks took for the same work on one machine, the fastest first.

    Each row has the framework, the seconds in words, and how many times the fastest's they are, "1.12×".
    """

    hardware: str
    measured: bool
    rows: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Comparison:
    """All lists of times for the same amount of work, ``per``: "epoch", "10 epochs", "1,000 images"."""

    per: str
    lists: tuple[Times, ...]


def samples_in(per: str, epoch_samples: int) -> int | None:
    """Return the samples of "epoch", "10 epochs" or "1,000 images"; None where that can't be told."""
    match = _AMOUNT.fullmatch(per)
    if match is None:
        return None
    count = int((match["count"] or "1").replace(",", ""))
    return count if match["unit"] == "images" else count * epoch_samples or None


def comparisons(workload: WorkloadResult, here: str = "this machine") -> list[Comparison]:
    """Group the published times by machine and add this run's, ``here``; empty where nothing was published."""
    found = []
    for per in dict.fromkeys(figure.per for figure in workload.published):
        figures = sorted((f for f in workload.published if f.per == per), key=lambda figure: figure.seconds)
        lists = [
            _times(
                hardware,
                [
                    (f.framework, f.seconds, f"{f.seconds:g}" if f.up_to is None else f"{f.seconds:g}–{f.up_to:g}")
                    for f in figures
                    if f.hardware == hardware
                ],
            )
            for hardware in dict.fromkeys(figure.hardware for figure in workload.published)
        ]
        samples = samples_in(per, workload.epoch_samples)
        rates = [(marked_name(c), c.samples_per_second) for c in ranked(workload) if c.samples_per_second]
        if samples and rates:
            rows = [(name, samples / rate, number(samples / rate)) for name, rate in rates]
            lists.append(_times(here, rows, measured=True))
        found.append(Comparison(per, tuple(times for times in lists if times.rows)))
    return found


def _times(hardware: str, rows: list[tuple[str, float, str]], measured: bool = False) -> Times:
    fastest = min((seconds for _, seconds, _ in rows), default=1.0)
    return Times(hardware, measured, tuple((name, words, f"{seconds / fastest:.2f}×") for name, seconds, words in rows))


def title(times: Times) -> str:
    """Say whose times these are."""
    return f"{'measured' if times.measured else 'published'}: {times.hardware}"
