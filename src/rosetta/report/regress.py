"""Shows what a newer release changed: a table, JUnit's XML, annotations on GitHub."""

from collections.abc import Callable
from xml.etree import ElementTree

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from rosetta.escapes import printable, workflow_message, workflow_property
from rosetta.record.regress import Finding, Measure, Regression
from rosetta.report.numbers import NOTHING, gibibytes, number, percent
from rosetta.report.text import brief, listed

_LONGEST = 40
"""Characters of a remark that has room in a cell; longer ones stand below the table."""
_STYLES = {"regression": "bold red", "improvement": "green", "couldn't be told": "yellow", "no regression seen": ""}
_VALUES: dict[Measure, Callable[[float], str]] = {
    "speed": lambda rate: f"{number(rate)}/s",
    "first step": lambda seconds: f"{number(seconds)} s",
    "memory": lambda size: f"{gibibytes(round(size))} GiB",
    "GPU memory": lambda size: f"{gibibytes(round(size))} GiB",
    "accuracy": lambda fraction: percent(fraction),
}
_WORSE = {
    "speed": "slower",
    "first step": "longer",
    "memory": "more",
    "GPU memory": "more",
    "accuracy": "less accurate",
}
_BETTER = {"speed": "faster", "first step": "shorter", "memory": "less", "GPU memory": "less"}


def regress_table(found: Regression) -> Group:
    """Return the verdicts, workload by workload, and how the errors were held."""
    table = Table(
        *(Column(header, overflow="fold") for header in ("workload", "", found.old, found.new)),
        *(Column(header, overflow="fold") for header in ("change (interval)", "would have been seen", "verdict")),
        box=None,
    )
    before = ""
    for finding in found.findings:
        table.add_row(
            finding.workload if finding.workload != before else "",
            finding.measure,
            value_words(finding, finding.old),
            value_words(finding, finding.new),
            finding.remark if 0 < len(finding.remark) <= _LONGEST else change_words(finding),
            _seen(finding),
            Text(finding.verdict, _STYLES[finding.verdict]),
        )
        before = finding.workload
    shown: list[RenderableType] = [table, Text("")]
    shown += [
        Text(f"{finding.workload}, {finding.measure}: {brief(finding.remark)}")
        for finding in found.findings
        if len(finding.remark) > _LONGEST
    ]
    shown += [Text(verdict_words(found), "bold"), Text(method_words(found))]
    return Group(*shown)


def value_words(finding: Finding, value: float | None) -> str:
    """Write what was measured of one release, with its unit."""
    return "" if value is None else _VALUES[finding.measure](value)


def change_words(finding: Finding) -> str:
    """Write "5.2 % slower (3.9 to 6.5)"; an interval that reaches to the other side has a sign."""
    if finding.change is None:
        return "" if finding.measure == "proof" else NOTHING
    if finding.change == 0:
        words = "none"
    elif finding.measure == "accuracy":
        words = f"{percent(abs(finding.change))} {'less accurate' if finding.change > 0 else 'more accurate'}"
    else:
        worse = finding.change > 0
        size = finding.change if worse else -finding.change
        words = f"{percent(size)} {(_WORSE if worse else _BETTER)[finding.measure]}"
    if finding.low is None or finding.high is None:
        return words
    low, high = sorted((finding.low, finding.high)) if finding.change > 0 else sorted((-finding.low, -finding.high))
    return f"{words} ({100 * low:.1f} to {100 * high:.1f})"


def _seen(finding: Finding) -> str:
    """Say from which worsening on it would have been called a regression."""
    return "" if finding.smallest is None else f"from {percent(finding.smallest)} on"


def verdict_words(found: Regression) -> str:
    """Say in a sentence what came of it."""
    worse = [f"{finding.workload} ({_named(finding)})" for finding in found.regressions]
    failed = [finding.workload for finding in found.failures]
    words = f"{found.new} is worse than {found.old} on {listed(worse)}." if worse else ""
    if failed:
        words += f" It couldn't be told on {listed(list(dict.fromkeys(failed)))}."
    if not found.complete:
        words += " The run isn't complete."
    return words.strip() or f"No regression from {found.old} to {found.new} was seen."


def _named(finding: Finding) -> str:
    return "no longer the same network" if finding.measure == "proof" else f"{finding.measure}: {change_words(finding)}"


def method_words(found: Regression) -> str:
    """Say what counts as a regression and how often one is called that isn't there."""
    limits = ", ".join(f"{percent(limit)} of {measure}" for measure, limit in found.tolerated.items())
    return (
        f"A regression is a worsening that is shown to be more than what is tolerated ({limits}). {found.tests} tests, "
        f"all in one family by Holm's method: in at most {percent(1 - found.confidence, 0)} of such runs is any "
        "regression called that isn't there. Intervals are of each change by itself."
    )


def junit(found: Regression) -> str:
    """Write JUnit's XML: a case for each workload and measure."""
    failures, errors = len(found.regressions), len(found.failures)
    suite = ElementTree.Element(
        "testsuite",
        name=_xml(f"rosetta regress {found.old} {found.new}"),
        tests=str(len(found.findings)),
        failures=str(failures),
        errors=str(errors),
    )
    for finding in found.findings:
        case = ElementTree.SubElement(suite, "testcase", classname=_xml(finding.workload), name=finding.measure)
        message = _xml(annotation_words(found, finding))
        if finding.verdict == "regression":
            ElementTree.SubElement(case, "failure", message=message, type="regression")
        elif finding in found.failures:
            ElementTree.SubElement(case, "error", message=message, type="untold")
        elif finding.verdict == "couldn't be told":
            ElementTree.SubElement(case, "skipped", message=message)
        else:
            ElementTree.SubElement(case, "system-out").text = message
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def annotations(found: Regression) -> str:
    """Write GitHub's annotations, a line each: regressions are errors, what couldn't be told is a warning."""
    lines = []
    for finding in found.findings:
        if finding.verdict == "regression" or finding in found.failures:
            kind = "error" if finding.verdict == "regression" else "warning"
            title = workflow_property(f"Rosetta, {finding.workload}, {finding.measure}")
            lines.append(f"::{kind} title={title}::{workflow_message(annotation_words(found, finding))}")
    return "".join(f"{line}\n" for line in lines)


def annotation_words(found: Regression, finding: Finding) -> str:
    """Say in a sentence what became of one measure on one workload."""
    what = brief(finding.remark) if finding.remark else f"{change_words(finding)}"
    return f"{finding.measure} of {finding.workload}, {found.old} → {found.new}: {finding.verdict}; {what}"


def _xml(text: str) -> str:
    """Leave out what XML can't hold at all; the rest is escaped by who writes it."""
    return printable(text).replace("\n", " ")
