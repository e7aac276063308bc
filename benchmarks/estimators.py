"""Simulates runs with the scatter that was measured, and prints how far the intervals and the claims can be trusted.

    python benchmarks/estimators.py [--runs 4000] [--part intervals|claims|precision]

Six contenders: chunks scatter by 3–13 %, processes by 0.5–3 %, a drift is shared within a round, and one contender's
chunks come at two speeds 0.35 apart in logarithms. Three tables: coverage and half-width of a ratio's interval, for the
two-way estimator and for pairing with the fastest; how often a contender that is as fast as the fastest is called
slower; and the coverage after a rule has decided the number of launches. Some 20 minutes with 4,000 runs.
"""

import argparse
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rosetta.record.precision import FIRST_LAUNCHES, decide
from rosetta.record.statistics import LogRates, ratio
from rosetta.record.studentized import pair_quantile
from rosetta.record.twoway import TwoWay

Array = NDArray[np.float64]

CONFIDENCE = 0.95
CHUNK_SD = (0.03, 0.05, 0.08, 0.10, 0.13, 0.05)
"""Sd of a contender's log rate from chunk to chunk, measured on A/A pairs."""
PROCESS_SD = (0.005, 0.010, 0.015, 0.020, 0.030, 0.015)
"""The same from launch to launch, whatever the rounds."""
TWO_SPEEDS, APART, SLOW_SHARE = 5, 0.35, 0.3
"""The contender with two speeds, how far apart they are, and how often it is slow."""
DRIFT_SD, DRIFT_CORRELATION = 0.15, 0.77
NAMES = (*(f"{place} ({sd:.0%})" for place, sd in enumerate(CHUNK_SD[:TWO_SPEEDS])), "two speeds")
DESIGNS = ((4, 2), (4, 4), (4, 8), (6, 2), (8, 8))
"""Launches and rounds."""
EQUAL = (0.0,) * len(CHUNK_SD)
UNEQUAL = (-0.07, 0.0, -0.03, -0.16, -0.36, -0.11)
"""Log speeds: spread as frameworks are."""
THREE_EQUAL = (0.0, -0.4, -0.2, 0.0, -0.8, 0.0)


def simulate(rng: np.random.Generator, speeds: Sequence[float], launches: int, rounds: int) -> Array:
    """Draw one run: log rates, (contenders, launches, rounds)."""
    shape = (len(speeds), launches, rounds)
    drift = np.empty((launches, rounds))
    drift[:, 0] = rng.normal(0, DRIFT_SD, launches)
    for r in range(1, rounds):
        step = rng.normal(0, DRIFT_SD * math.sqrt(1 - DRIFT_CORRELATION**2), launches)
        drift[:, r] = DRIFT_CORRELATION * drift[:, r - 1] + step
    logs = np.array(speeds)[:, None, None] + drift + rng.normal(size=shape) * np.array(CHUNK_SD)[:, None, None]
    logs += rng.normal(size=(*shape[:2], 1)) * np.array(PROCESS_SD)[:, None, None]
    slow = rng.random((launches, rounds)) < SLOW_SHARE
    logs[TWO_SPEEDS] += APART * (SLOW_SHARE - slow)
    return logs


def as_rates(logs: Array, launches: int | None = None) -> dict[str, LogRates]:
    """Return a run's first launches, or all, as the estimators take them."""
    wanted = range(logs.shape[1] if launches is None else launches)
    return {
        name: {(launch, r): float(logs[place, launch, r]) for launch in wanted for r in range(logs.shape[2])}
        for place, name in enumerate(NAMES[: len(logs)])
    }


class Tally:
    """Counts how often intervals held the truth, and keeps their half-widths."""

    def __init__(self) -> None:
        self.held: list[bool] = []
        self.half_widths: list[float] = []

    def add(self, error: float, half: float) -> None:
        """Count an interval: how far its middle is from the truth, and its half-width, in logarithms."""
        self.held.append(abs(error) <= half)
        self.half_widths.append(math.sinh(half))

    @property
    def coverage(self) -> float:
        """The share of intervals that hold the truth."""
        return float(np.mean(self.held))

    @property
    def half_width(self) -> float:
        """The median, relative to the ratio."""
        return float(np.median(self.half_widths))


def paired(a: LogRates, b: LogRates, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the log ratio of two contenders and its interval's half-width, from their paired rounds alone."""
    found = ratio(a, b, confidence)
    assert found.low is not None and found.high is not None
    return math.log(found.value), math.log(found.high / found.low) / 2


def rounds_as_units(a: LogRates, b: LogRates) -> tuple[float, float]:
    """Return the same as if every round had processes of its own: how not to do it."""
    first, second = ({(place, 0): log for place, log in enumerate(rates.values())} for rates in (a, b))
    return paired(first, second)


def pooled(logs: Array) -> tuple[Array, float]:
    """Return the contenders' means and the half-width of a difference with one variance for all: how not to do it."""
    effects = logs.mean(axis=2)
    count, launches = effects.shape
    residuals = effects - effects.mean(axis=0) - effects.mean(axis=1, keepdims=True) + effects.mean()
    degrees = (count - 1) * (launches - 1)
    half = pair_quantile(CONFIDENCE, 2, degrees) * math.sqrt(2 * float((residuals**2).sum()) / degrees / launches)
    return effects.mean(axis=1), half


def coverage(runs: int, designs: Sequence[tuple[int, int]] = DESIGNS, seed: int = 1) -> Iterator[str]:
    """Hold every contender's interval against the truth: the ratio to each one that may be the fastest, in turn."""
    yield "| launches × rounds | estimator | coverage | of the two-speed one | half-width, median | mean |"
    yield "|---|---|---|---|---|---|"
    for launches, rounds in designs:
        tallies = intervals(runs, launches, rounds, seed)
        for name, (others, two) in tallies.items():
            yield (
                f"| {launches} × {rounds} | {name} | {others.coverage:.1%} | {two.coverage:.1%} | "
                f"{others.half_width:.1%} | {np.mean(others.half_widths):.1%} |"
            )


def intervals(runs: int, launches: int, rounds: int, seed: int = 1) -> dict[str, tuple[Tally, Tally]]:
    """Return what each estimator's intervals did: of contenders with one speed, and of the one with two."""
    rng = np.random.default_rng((seed, launches, rounds))
    found = {name: (Tally(), Tally()) for name in ("paired", "two-way", "pooled", "rounds as units")}
    for run in range(runs):
        logs = simulate(rng, EQUAL, launches, rounds)
        rates = as_rates(logs)
        fit = TwoWay(rates)
        means, half = pooled(logs)
        fastest = run % TWO_SPEEDS
        for place, name in enumerate(NAMES):
            if place == fastest:
                continue
            kind = int(place == TWO_SPEEDS)
            difference = fit.difference(name, NAMES[fastest])
            found["paired"][kind].add(*paired(rates[name], rates[NAMES[fastest]]))
            found["two-way"][kind].add(difference.log_ratio, difference.half_width(CONFIDENCE))
            found["rounds as units"][kind].add(*rounds_as_units(rates[name], rates[NAMES[fastest]]))
            found["pooled"][kind].add(float(means[place] - means[fastest]), half)
    return found


@dataclass(frozen=True)
class Claims:
    """How often what a run said of who is slower than the fastest was wrong, and how often it was found."""

    any_wrong: float
    """Share of runs in which one or more of the truly fastest were called slower."""
    worst: float
    """Share of runs in which one that is truly fastest was, of the one that it happened to most."""
    found: float
    """Share of truly slower contenders that were called slower."""


JUDGED = ("paired, alone", "two-way, alone", "Hsu", "all at once")


def claims(runs: int, speeds: Sequence[float], launches: int, rounds: int, seed: int = 1) -> Mapping[str, Claims]:
    """Say who is slower than the fastest: by each interval alone, paired or two-way, and by all at once.

    "Hsu" is comparing with the best: one-sided, the error divided among the others (Bonferroni).
    """
    rng = np.random.default_rng((seed, launches, rounds))
    best = np.array(speeds) == max(speeds)
    called = {how: np.zeros((runs, len(speeds)), bool) for how in JUDGED}
    for run in range(runs):
        rates = as_rates(simulate(rng, speeds, launches, rounds))
        fit = TwoWay(rates)
        fastest = fit.fastest(NAMES[0])
        for place, name in enumerate(fit.contenders):
            if name == fastest:
                continue
            difference = fit.difference(name, fastest)
            log_ratio, half = paired(rates[name], rates[fastest])
            called["paired, alone"][run, place] = log_ratio + half < 0
            hsu = 1 - 2 * (1 - CONFIDENCE) / (len(speeds) - 1)
            for how, confidence, count in zip(
                JUDGED[1:], (CONFIDENCE, hsu, CONFIDENCE), (2, 2, len(speeds)), strict=True
            ):
                called[how][run, place] = log_ratio + difference.half_width(confidence, count) < 0
    return {
        how: Claims(
            float(slower[:, best].any(axis=1).mean()),
            float(slower[:, best].mean(axis=0).max()),
            float(slower[:, ~best].mean()) if (~best).any() else math.nan,
        )
        for how, slower in called.items()
    }


def claims_table(runs: int) -> Iterator[str]:
    yield "| truly | launches × rounds | judged | any fastest called slower | the one most often | slower ones found |"
    yield "|---|---|---|---|---|---|"
    settings = {"all six equal": EQUAL, "three equal, three slower": THREE_EQUAL, "all different": UNEQUAL}
    for words, speeds in settings.items():
        for launches, rounds in ((4, 4), (4, 8), (8, 8)):
            for how, found in claims(runs, speeds, launches, rounds).items():
                power = "–" if math.isnan(found.found) else f"{found.found:.0%}"
                cells = f"{how} | {found.any_wrong:.1%} | {found.worst:.1%} | {power}"
                yield f"| {words} | {launches} × {rounds} | {cells} |"


@dataclass(frozen=True)
class Stopped:
    """What came of runs whose number of launches was decided under way."""

    coverage: float
    """Of the noisiest pair that has one speed, which decides most often."""
    all_coverage: float
    launches: float
    narrow: float
    """Share of the intervals that are as narrow as asked."""


LIMIT = 30


def stopped(runs: int, rule: str, precision: float, first: int = FIRST_LAUNCHES, seed: int = 1) -> Stopped:
    """Let a rule stop runs of the five contenders with one speed.

    "two stages" is ``decide``; "until narrow" looks at the intervals after each launch from the first ones on, which is
    what a rule must not do; "two stages, forgotten" decides as the first but computes the intervals as if it hadn't.
    """
    rng = np.random.default_rng((seed, first, round(1000 * precision)))
    tallies: dict[str, Tally] = {}
    taken, narrow = [], []
    speeds = UNEQUAL[:TWO_SPEEDS]
    for _ in range(runs):
        logs = simulate(rng, (*speeds, EQUAL[-1]), LIMIT, 4)[:TWO_SPEEDS]
        launches = first
        if rule == "until narrow":
            while launches < LIMIT and _widest(TwoWay(as_rates(logs, launches))) > precision:
                launches += 1
        else:
            launches = decide(as_rates(logs, first), precision, CONFIDENCE, LIMIT, first).launches
        fit = TwoWay(as_rates(logs, launches), first if rule == "two stages" else None)
        taken.append(launches)
        for place, name in enumerate(fit.contenders):
            if speeds[place] == max(speeds):
                continue
            difference = fit.difference(name, NAMES[int(np.argmax(speeds))])
            half = difference.half_width(CONFIDENCE)
            tallies.setdefault(name, Tally()).add(difference.log_ratio - speeds[place] + max(speeds), half)
            narrow.append(math.sinh(half) <= precision)
    held = [held for tally in tallies.values() for held in tally.held]
    worst = tallies[NAMES[TWO_SPEEDS - 1]].coverage
    return Stopped(worst, float(np.mean(held)), float(np.mean(taken)), float(np.mean(narrow)))


def _widest(fit: TwoWay) -> float:
    fastest = fit.fastest(NAMES[0])
    halves = [fit.difference(name, fastest).half_width(CONFIDENCE) for name in fit.contenders if name != fastest]
    return math.sinh(max(halves))


def precision_table(runs: int) -> Iterator[str]:
    yield "| rule | first launches | asked | coverage | of the noisiest | mean launches | intervals that narrow |"
    yield "|---|---|---|---|---|---|---|"
    for precision in (0.04, 0.06, 0.10):
        for rule, first in (
            ("two stages", 4),
            ("two stages", FIRST_LAUNCHES),
            ("two stages, forgotten", 4),
            ("until narrow", 4),
        ):
            found = stopped(runs, rule, precision, first)
            yield (
                f"| {rule} | {first} | ± {precision:.0%} | {found.all_coverage:.1%} | {found.coverage:.1%} | "
                f"{found.launches:.1f} | {found.narrow:.0%} |"
            )


PARTS = {"intervals": coverage, "claims": claims_table, "precision": precision_table}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=4000, help="simulated runs for each row")
    parser.add_argument("--part", choices=list(PARTS), action="append", help="default: all")
    options = parser.parse_args()
    start = time.perf_counter()
    for part in options.part or PARTS:
        for line in PARTS[part](options.runs):
            print(line, flush=True)
        print(flush=True)
    print(f"{options.runs} runs a row, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
