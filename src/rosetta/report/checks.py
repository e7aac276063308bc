"""Writes what a proof compared with the reference, and which comparison failed."""

import math

from rosetta.record.result import Check, DropoutCheck, Equivalence, TensorError, WorkloadResult
from rosetta.report.numbers import error, number

AnyCheck = TensorError | Check


def checks(equivalence: Equivalence) -> list[tuple[str, AnyCheck]]:
    """Return the comparisons with the reference that were made, each with the name of what was compared."""
    trained = equivalence.loss is not None
    named = [
        ("logits" if trained else "features", equivalence.logits),
        ("loss", equivalence.loss),
        ("gradients", equivalence.gradients),
        ("update", equivalence.update),
    ]
    ten_steps: list[tuple[str, AnyCheck]] = [(name, check) for name, check in named if check is not None]
    return ten_steps + [(check.name, check) for check in equivalence.further]


def worst_check(equivalence: Equivalence) -> tuple[str, AnyCheck]:
    """Return the comparison that went farthest beyond its tolerance, else that of the ten steps that came nearest.

    Other measures than relative errors against the reference are worth telling only where they fail.
    """

    def share(named: tuple[str, AnyCheck]) -> float:
        check = named[1]
        return math.inf if check.error is None or not math.isfinite(check.error) else check.error / check.tolerance

    found = [named for named in checks(equivalence) if isinstance(named[1], TensorError) or not named[1].holds]
    return max(found, key=share)


def tensor_words(name: str, check: AnyCheck) -> str:
    """Name the tensor of a comparison, or say what was seen, unless its own name says that already."""
    where = check.detail if isinstance(check, Check) else check.tensor
    return "" if where in (name, "logits") else where


def check_words(name: str, check: AnyCheck) -> str:
    """Write "gradients conv1.weight 3.1e-02 > 1e-04" or "… ≤ …"."""
    tensor = tensor_words(name, check)
    return f"{name}{tensor and ' '}{tensor} {error(check.error)} {'≤' if check.holds else '>'} {check.tolerance:.0e}"


def dropout_words(check: DropoutCheck) -> str:
    """Write how far dropout moves a weight's first update, against the reference's mean and scatter."""
    expected = f"{number(check.expected, 3)} ± {number(check.sd, 1)}"
    return f"moves {check.tensor} by {number(check.distance, 3)}, reference {expected}"


def further_words(equivalence: Equivalence, with_dropout: bool = False) -> str:
    """Write "5 hold, 1 not shown", or which of the further checks fail; nothing where none was made.

    ``with_dropout`` counts the check of dropout's distances among them.
    """
    found = [(check.name, check.holds) for check in equivalence.further]
    if with_dropout and equivalence.dropout:
        found.insert(0, ("dropout", equivalence.dropout.passed))
    failed = [name for name, holds in found if not holds]
    if failed:
        return f"{', '.join(failed)} {'differs' if len(failed) == 1 else 'differ'}"
    words = [f"{len(found)} hold"] if found else []
    words += [f"{len(equivalence.unproven)} not shown"] if equivalence.unproven else []
    return ", ".join(words)


def failed_checks(equivalence: Equivalence) -> list[str]:
    """Describe every comparison that failed, the worst first."""
    worst = worst_check(equivalence)
    others = [named for named in checks(equivalence) if named != worst]
    found = [check_words(*named) for named in (worst, *others) if not named[1].holds]
    if equivalence.dropout and not equivalence.dropout.passed:
        found.append(f"dropout while training: {dropout_words(equivalence.dropout)}")
    return found


def check_names(workload: WorkloadResult) -> list[str]:
    """Name the comparisons that a proof of this workload makes."""
    return ["logits", "loss", "gradients", "update"] if workload.trained else ["features"]
