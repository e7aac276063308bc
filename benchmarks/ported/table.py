"""Writes the table of planted ports, and says what in it isn't as it should be."""

from collections import Counter
from collections.abc import Mapping

from ported import FAULTS, REWRITES
from ported.change import Change
from ported.outcome import Outcome, cause_judged, is_caught

_LAYERS, _CAUSES = 0.9, 0.7
"""Of the faults at least these parts must have the right sub-module and the right cause named."""


def failings(found: Mapping[str, Outcome]) -> list[str]:
    """Return what isn't as it should be, of the changes that were tried."""
    wrong = []
    faults = [(fault, found[fault.id]) for fault in FAULTS if fault.id in found]
    for fault, outcome in faults:
        if not is_caught(fault, outcome):
            wrong.append(f"{fault.id}: {outcome.failure or outcome.in_evaluation} in evaluation")
        if cause_judged(fault, outcome) == "wrong":
            wrong.append(f"{fault.id}: named as the cause: {outcome.cause}")
    layers = sum(outcome.at == fault.at for fault, outcome in faults)
    causes = sum(cause_judged(*pair) == "right" for pair in faults)
    if layers < _LAYERS * len(faults):
        wrong.append(f"the first sub-module that differs is right in {layers} of {len(faults)}")
    if causes < _CAUSES * len(faults):
        wrong.append(f"the cause is right in {causes} of {len(faults)}")
    for change in REWRITES:
        if change.id in found and found[change.id].verdict != "the same":
            outcome = found[change.id]
            wrong.append(f"{change.id}: {outcome.failure or outcome.verdict} {outcome.wrong[:2]}")
    return wrong


def to_markdown(found: Mapping[str, Outcome]) -> str:
    """Return the table."""
    faults = [(fault, found[fault.id]) for fault in FAULTS if fault.id in found]
    rewrites = [(change, found[change.id]) for change in REWRITES if change.id in found]
    caught = sum(is_caught(*pair) for pair in faults)
    layers = sum(outcome.at == fault.at for fault, outcome in faults)
    causes = Counter(cause_judged(*pair) for pair in faults)
    same = sum(outcome.verdict == "the same" for _, outcome in rewrites)
    lines = [
        "# Faults planted into ports",
        "",
        "`python benchmarks/planted_ports.py`. Three networks in PyTorch (a convolutional one with normalisation, an "
        "LSTM, a GPT), ports of them to four frameworks, a fault in each: what [rosetta check](../check.md) says. What "
        "is right was written down before, in `benchmarks/ported`.",
        "",
        "| | |",
        "| --- | --- |",
        f"| faults called *not the same* | {caught} of {len(faults)} |",
        f"| the first sub-module that differs is right | {layers} of {len(faults)} |",
        f"| the cause is named, and right | {causes['right']} of {len(faults)} |",
        f"| a wrong cause is named | {causes['wrong']} |",
        f"| harmless rewrites called *the same* | {same} of {len(rewrites)} |",
        "",
        "## Faults",
        "",
        "| framework | network | fault | in evaluation | parts | cause found |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for fault, outcome in faults:
        where = _where(outcome.at) + ("" if outcome.at == fault.at else f" (wrong: {_where(fault.at)})")
        cause = outcome.cause + (" (wrong)" if cause_judged(fault, outcome) == "wrong" else "")
        lines.append(_line(fault, outcome.failure or str(outcome.in_evaluation), where, cause))
    lines += ["", "## Rewrites", "", "| framework | network | rewrite | verdict |", "| --- | --- | --- | --- |"]
    lines += [_line(change, outcome.failure or str(outcome.verdict)) for change, outcome in rewrites]
    return "\n".join([*lines, ""])


def _where(at: str) -> str:
    if at == "after":
        return "after all sub-modules"
    return at and (f"before `{at.removeprefix('before ')}`" if at.startswith("before ") else f"at `{at}`")


def _line(change: Change, *cells: str) -> str:
    every = (change.framework, change.network, change.name, *cells)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in every) + " |"
