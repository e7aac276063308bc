"""Says what became of a contender: its status, its reason, its proof."""

from rosetta.record.result import ContenderResult, WorkloadResult
from rosetta.report.checks import check_words, failed_checks, worst_check

STATUS_WORDS = {
    "ok": "proven, not measured",
    "not_equivalent": "not the same network",
    "failed": "failed",
    "unavailable": "unavailable",
    "pending": "pending",
}

_PLANNED = "plan: "


def _lacks_implementation(contender: ContenderResult) -> bool:
    """Whether nothing was tried, because the framework has no text of the workload."""
    return contender.status == "failed" and contender.reason.startswith(_PLANNED)


def status_words(contender: ContenderResult) -> str:
    """Name a contender's status."""
    return "no implementation" if _lacks_implementation(contender) else STATUS_WORDS[contender.status]


def reason_words(contender: ContenderResult) -> str:
    """Say why a contender isn't ranked."""
    if contender.status == "not_equivalent" and contender.equivalence:
        return "; ".join(failed_checks(contender.equivalence)) or contender.reason
    if contender.reason:
        return contender.reason.removeprefix(_PLANNED) if _lacks_implementation(contender) else contender.reason
    return "not measured yet" if contender.status in ("ok", "pending") else "no reason was recorded"


def proof_words(contender: ContenderResult) -> str:
    """Say whether it is the same network, with the figure that decides it."""
    proof = contender.equivalence
    if proof is None:
        return f"not proven: {reason_words(contender)}"
    if not proof.passed:
        return f"not the same network: {'; '.join(failed_checks(proof)) or contender.reason}"
    return f"same network{in_precision(contender)}, worst: {check_words(*worst_check(proof))}"


def in_precision(contender: ContenderResult) -> str:
    """Write ", in bf16 autocast" where a proof's tolerances are those of a lower precision than float32."""
    return "" if contender.precision in ("float32", "float64") else f", in {contender.precision}"


def proof_count(workload: WorkloadResult) -> str:
    """Say how many contenders were proven to compute the same network."""
    proofs = [contender.equivalence for contender in workload.contenders]
    same = sum(proof is not None and proof.passed for proof in proofs)
    words = f"{same} of {len(proofs)} contenders proven to compute the same network"
    if different := sum(proof is not None and not proof.passed for proof in proofs):
        words += f", {different} proven not to"
    if missing := sum(proof is None for proof in proofs):
        words += f", {missing} without a proof"
    return words
