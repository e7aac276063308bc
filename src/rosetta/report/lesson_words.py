"""Says in words what came of a lesson's comparisons, for every way out."""

from rosetta.lessons.spec import PROOF
from rosetta.record.effects import SEEN
from rosetta.record.lessons import ComparisonResult, LessonResult, LessonsResult, OwnLayerResult
from rosetta.report.numbers import NOTHING, duration, number
from rosetta.report.ratios import bare_ratio

CLAIMS = {
    "more": "more",
    "less": "less",
    "same": "the same",
    "refused": "refused by the proof",
    "proven": "proven the same",
}
_UNITS = {
    "speed": "samples/s",
    "first step": "s",
    "peak memory": "GiB",
    "test accuracy": "%",
    "seconds from nothing to the first step": "s",
}
_LARGE = 10.0


def verdict_words(lesson: LessonResult) -> str:
    """Write a lesson's verdict, and in how many of the comparisons that could be decided it is so."""
    tried = sum(lesson.decided.get(verdict, 0) for verdict in SEEN)
    if lesson.verdict not in ("holds here", "no longer holds") or tried < 2:
        return lesson.verdict
    return f"{lesson.verdict}, in {lesson.decided[lesson.verdict]} of {tried}"


def value_words(comparison: ComparisonResult, which: str) -> str:
    """Write one side's value in the measure's unit."""
    value = comparison.base_value if which == "base" else comparison.other_value
    if value is None:
        return NOTHING
    unit = _UNITS.get(comparison.measure, "")
    if unit == "GiB":
        value /= 2**30
    return f"{value:.2f} {unit}" if unit == "%" else f"{number(value)} {unit}".rstrip()


def effect_words(comparison: ComparisonResult) -> str:
    """Write the measured effect with its interval, or what the proof found."""
    if comparison.measure == PROOF:
        return _proof_words(comparison)
    if comparison.value is None:
        return NOTHING
    if comparison.scale == "points":
        inner = "no interval"
        if comparison.low is not None and comparison.high is not None:
            inner = f"{comparison.low:+.2f} to {comparison.high:+.2f}"
        return f"{comparison.value:+.2f} points ({inner})"
    inner = "no interval"
    if comparison.low is not None and comparison.high is not None:
        inner = f"{_ratio(comparison.low)}–{_ratio(comparison.high)}"
    return f"{_ratio(comparison.value)}× ({inner})"


def _ratio(value: float) -> str:
    return f"{value:,.1f}" if value >= _LARGE else bare_ratio(value)


def _proof_words(comparison: ComparisonResult) -> str:
    if comparison.verdict not in SEEN:
        return NOTHING
    if not comparison.checks:
        return "no check refuses it"
    ranked = sorted(comparison.checks.items(), key=lambda c: -(c[1] if c[1] is not None else float("inf")))
    name, times = ranked[0]
    size = "not a finite number" if times is None else f"{times:,.3g} × its tolerance"
    more = f", and {len(ranked) - 1} more" if len(ranked) > 1 else ""
    return f"refused by {name}: {size}{more}"


def detectable_words(comparison: ComparisonResult) -> str:
    """Say how small an effect would have been seen, and with which power the claimed one."""
    if comparison.detectable is None:
        return ""
    if comparison.scale == "points":
        words = f"{comparison.detectable:.2f} points would have been seen"
        if comparison.power is not None and comparison.claimed is not None:
            words += f"; the claimed {comparison.claimed:g} with a power of {100 * comparison.power:.0f} %"
        return words
    return f"{_percent(comparison.detectable)} would have been seen"


def _percent(ratio: float) -> str:
    return f"{_ratio(ratio)}×" if ratio >= 2 else f"{100 * (ratio - 1):.2g} %"


def digits_words(comparison: ComparisonResult) -> str:
    """Say how far both sides' logits are from float64's, where that differs by a third of a digit or more."""
    lost = comparison.digits_lost
    if lost is None or abs(lost) < 1 / 3:
        return ""
    kind = "loses" if lost > 0 else "gains"
    return (
        f"{kind} {abs(lost):.1f} decimal digits: logits {comparison.other_error:.1e} from float64's, "
        f"{comparison.base_error:.1e} before"
    )


def break_even_words(comparison: ComparisonResult) -> str:
    """Say after how many steps the longer first step is made up for."""
    steps = comparison.break_even_steps
    return f"made up for after {number(steps)} steps" if steps else ""


def remark_words(comparison: ComparisonResult) -> str:
    """Put together all else that is known of a comparison."""
    reason = comparison.reason if comparison.measure == PROOF or comparison.value is None else ""
    found = (reason, detectable_words(comparison), digits_words(comparison), break_even_words(comparison))
    return "; ".join(words for words in found if words)


def source_words(lesson: LessonResult) -> str:
    """Name where the claim is from."""
    number_ = f"lesson {lesson.number}, " if lesson.number else ""
    return f"{number_}{lesson.source}, {lesson.year}"


def machine_line(result: LessonsResult) -> str:
    """Say on what machine it was, when, and how long it took."""
    cores = f"{result.cores} core{'s' if result.cores != 1 else ''}"
    return f"{result.cpu}, {cores}; {result.started}, {duration(result.seconds)}, preset {result.plan.preset}"


def method_words(confidence: float) -> str:
    """Say how verdicts come about, with intervals of that confidence."""
    return (
        "More or less is claimed: it holds if the interval of the effect lies on that side of none, no longer if it "
        "lies on the other; while none is in it, it is too small to see here. The same is claimed: it holds if the "
        f"interval lies within what is stated to be the same. Each interval is at {100 * confidence:g} % by itself: "
        f"of a hundred effects that aren't there {100 * (1 - confidence):.2g} are seen. Speeds come from paired rounds "
        "over launches of fresh processes, accuracies from trainings with equal seeds, gradients' sizes from the "
        "initial parameters of equal seeds."
    )


OWN_LAYER_COLUMNS = ("layer in", "framework", "by what", "lines of code", "gradient", "compiler")


def own_layer_cells(row: OwnLayerResult) -> tuple[str, ...]:
    """Write what a layer of one's own took, a cell for each of ``OWN_LAYER_COLUMNS``."""
    if row.why_not:
        return row.workload, row.contender, f"can't: {row.why_not}", "", "", ""
    return row.workload, row.contender, row.means, str(row.lines), row.gradient, row.compiler or "none"
