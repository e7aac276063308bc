"""The table of proofs, as `rosetta verify` shows it."""

from rich.console import Group
from rich.text import Text

from rosetta.escapes import printable
from rosetta.record.result import WorkloadResult
from rosetta.report.checks import further_words
from rosetta.report.status import in_precision, reason_words, status_words
from rosetta.report.terminal import plain_table

_FOLDED_NAME = 18
_FIGURE = 7
"""Characters of an error such as 4.1e-06."""


def proof_table(workload: WorkloadResult) -> Group:
    """Tabulate every contender's errors against the reference on one workload; below, why the others have none."""
    table = plain_table()
    name = min(_FOLDED_NAME, max(len(contender.name) for contender in workload.contenders))
    table.title = Text(f"{printable(workload.workload)}: relative L2 error against the float64 reference")
    table.title_justify = "left"
    # Where it is narrow names fold and words wrap before a figure would be cut off.
    table.add_column("contender", overflow="fold", min_width=name)
    for header in ("logits", "loss", "worst gradient", "worst update", "others"):
        table.add_column(header, overflow="fold", min_width=_FIGURE)
    table.add_column("verdict", min_width=len("the same"))
    reasons = []
    for contender in workload.contenders:
        proof = contender.equivalence
        if contender.status != "ok":
            reasons.append(Text(printable(f"{contender.name}: {reason_words(contender)}")))
        if proof is None:
            table.add_row(Text(printable(contender.name)), "", "", "", "", "", status_words(contender), style="red")
            continue
        errors = [
            "not trained"
            if check is None
            else ("—" if check.error is None else f"{check.error:.1e}") + (f" {check.tensor}" if named else "")
            for check, named in ((proof.logits, 0), (proof.loss, 0), (proof.gradients, 1), (proof.update, 1))
        ]
        verdict = f"the same network{in_precision(contender)}" if proof.passed else status_words(contender)
        cells = [contender.name, *errors, further_words(proof, with_dropout=True), verdict]
        table.add_row(
            *(Text(printable(cell)) for cell in cells),
            style="" if proof.passed else "red",
        )
    return Group(table, *reasons)
