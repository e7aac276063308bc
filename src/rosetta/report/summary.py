"""Puts a result into the order, the figures and the words that all reports share."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rosetta.record.result import (
    ContenderResult,
    DropoutCheck,
    Equivalence,
    Gpu,
    Machine,
    Protocol,
    Ratio,
    Result,
    TensorError,
    WorkloadResult,
)

NOTHING = "–"

STATUS_WORDS = {
    "ok": "proven, not measured",
    "not_equivalent": "not the same network",
    "failed": "failed",
    "unavailable": "unavailable",
    "pending": "pending",
}

_CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")

_PLANNED = "plan: "
_BRIEF_LINES = 4


def printable(text: str) -> str:
    """Drop terminal colours and replace what else a terminal would act on by U+FFFD; keep line ends."""
    plain = _CONTROL_SEQUENCE.sub("", text).replace("\t", " ").replace("\r\n", "\n")
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in plain)


def is_synthetic(workload: WorkloadResult) -> bool:
    """Whether any of the data was made up."""
    return "synthetic" in workload.data.lower()


def data_words(workload: WorkloadResult) -> str:
    """Name the kind of data, loudly if it isn't real."""
    if not is_synthetic(workload):
        return f"data: {workload.data}"
    return "SYNTHETIC DATA" if workload.data == "synthetic" else f"SYNTHETIC DATA: {workload.data}"


def ranked(workload: WorkloadResult) -> list[ContenderResult]:
    """Return the contenders with a valid speed, fastest first: by paired ratio where there is one."""

    def speed(contender: ContenderResult) -> tuple[float, float]:
        return (contender.ratio.value if contender.ratio else 0.0, contender.samples_per_second or 0.0)

    measured = [c for c in workload.contenders if c.status == "ok" and c.samples_per_second is not None]
    return sorted(measured, key=speed, reverse=True)


def unranked(workload: WorkloadResult) -> list[ContenderResult]:
    """Return the other contenders, in the order asked for."""
    fast = {id(contender) for contender in ranked(workload)}
    return [contender for contender in workload.contenders if id(contender) not in fast]


def is_reference(contender: ContenderResult) -> bool:
    """Whether the ratios are relative to this contender."""
    return contender.ratio is not None and contender.ratio.to == contender.name


def is_tie(contender: ContenderResult) -> bool:
    """Whether another contender's speed can't be told from the fastest one's."""
    ratio = contender.ratio
    return ratio is not None and ratio.tie and ratio.low is not None and not is_reference(contender)


def ranks(order: Sequence[ContenderResult]) -> list[int]:
    """Return the ranks of contenders in order; those that tie with the fastest share its rank."""
    return [1 if is_tie(contender) else place for place, contender in enumerate(order, 1)]


def marked_name(contender: ContenderResult) -> str:
    """Name the contender, with its precision unless that is float32."""
    return contender.name if contender.precision == "float32" else f"{contender.name} ({contender.precision})"


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


def brief(reason: str) -> str:
    """Keep the last lines of a reason, where a traceback has its error."""
    lines = [line for line in printable(reason).splitlines() if line.strip()]
    return "\n".join(lines if len(lines) <= _BRIEF_LINES else ["…", *lines[-_BRIEF_LINES:]])


# ---------------------------------------------------------------- figures


def number(value: float | None, digits: int = 3) -> str:
    """Write to so many significant digits, with thousands separated; "–" for what isn't there."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, decimals):,.{max(decimals, 0)}f}"


def percent(fraction: float | None, decimals: int = 1) -> str:
    """Write a fraction as a percentage."""
    return NOTHING if fraction is None or not math.isfinite(fraction) else f"{100 * fraction:.{decimals}f} %"


def gibibytes(size: int | None) -> str:
    """Write bytes in GiB."""
    return NOTHING if size is None else f"{size / 2**30:.2f}"


def milliseconds(seconds: float | None) -> str:
    """Write seconds in milliseconds."""
    return NOTHING if seconds is None else number(1000 * seconds)


def duration(seconds: float) -> str:
    """Write seconds as 41 s, 2 min 05 s or 1 h 02 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def first_step_words(contender: ContenderResult) -> str:
    """Say how long the first step took, and whether what it compiled was on disk already."""
    words = f"{number(contender.first_step_seconds, 2)} s"
    if contender.cold_first_steps is None or contender.first_step_seconds is None:
        return words
    cold = contender.cold_first_steps
    return f"{words}, {f'compiled anew in {cold} of the launches' if cold else 'all compiled code from the disk'}"


def error(value: float | None) -> str:
    """Write a relative error."""
    return "not finite" if value is None or not math.isfinite(value) else f"{value:.1e}"


def bare_ratio(value: float) -> str:
    """Write 0.72, and 0.043 where two decimals would say too little."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def interval_words(ratio: Ratio) -> str:
    """Write 0.70–0.74, or that there is none."""
    if ratio.low is None or ratio.high is None:
        return "no interval"
    return f"{bare_ratio(ratio.low)}–{bare_ratio(ratio.high)}"


def ratio_words(ratio: Ratio | None, reference: bool = False) -> str:
    """Write "0.72× (0.70–0.74)", "0.98× (0.95–1.01) tie", or "1.00× fastest" for the reference itself."""
    if ratio is None:
        return NOTHING
    if reference:
        return "1.00× fastest"
    return (
        f"{bare_ratio(ratio.value)}× ({interval_words(ratio)}){' tie' if ratio.tie and ratio.low is not None else ''}"
    )


def scaling_words(workload: WorkloadResult) -> list[str]:
    """Say of each contender's replicas how much faster they are than one network, and how well they scale."""
    found = []
    for contender in workload.contenders:
        scaling = contender.scaling
        if scaling is None:
            continue
        kind = "virtual replicas, which share one processor" if scaling.virtual else "replicas"
        found.append(
            f"{contender.name}: {bare_ratio(scaling.speedup.value)}× ({interval_words(scaling.speedup)}) the speed of "
            f"{scaling.speedup.to}{' (a tie)' if scaling.speedup.tie else ''}, "
            f"efficiency {percent(scaling.efficiency, 0)} of {scaling.replicas} {kind}."
        )
    if found:
        weak = any(contender.scaling and contender.scaling.weak for contender in workload.contenders)
        size = workload.batch_size
        strong = f"Strong scaling: the replicas share the batch of {size} that one network has."
        found.insert(0, f"Weak scaling: each replica has a batch of {size} of its own." if weak else strong)
    return found


@dataclass(frozen=True)
class Extra:
    """A figure that only some runs have."""

    name: str
    unit: str
    value: Callable[[ContenderResult], float | None]
    digits: int


_EXTRAS = (
    Extra("GPU memory", "GiB", lambda c: c.gpu_memory_bytes and c.gpu_memory_bytes / 2**30, 3),
    Extra("energy", "J/1,000", lambda c: c.joules_per_sample and 1000 * c.joules_per_sample, 3),
    Extra("efficiency", "%", lambda c: 100 * c.scaling.efficiency if c.scaling else None, 2),
)


def extras(contenders: Sequence[ContenderResult]) -> list[Extra]:
    """Return the figures beside the usual ones that one of the contenders has."""
    return [extra for extra in _EXTRAS if any(extra.value(contender) is not None for contender in contenders)]


# ---------------------------------------------------------------- the proof


def checks(equivalence: Equivalence) -> list[tuple[str, TensorError]]:
    """Return the comparisons with the reference that were made, each with the name of what was compared."""
    trained = equivalence.loss is not None
    named = [
        ("logits" if trained else "features", equivalence.logits),
        ("loss", equivalence.loss),
        ("gradients", equivalence.gradients),
        ("update", equivalence.update),
    ]
    return [(name, check) for name, check in named if check is not None]


def holds(check: TensorError) -> bool:
    """Whether an error is within its tolerance."""
    return check.error is not None and check.error <= check.tolerance


def worst_check(equivalence: Equivalence) -> tuple[str, TensorError]:
    """Return the comparison that came nearest to its tolerance or went farthest beyond."""

    def share(named: tuple[str, TensorError]) -> float:
        check = named[1]
        return math.inf if check.error is None or not math.isfinite(check.error) else check.error / check.tolerance

    return max(checks(equivalence), key=share)


def tensor_words(name: str, check: TensorError) -> str:
    """Name the tensor of a comparison, unless its own name says that already."""
    return "" if check.tensor in (name, "logits") else check.tensor


def check_words(name: str, check: TensorError) -> str:
    """Write "gradients conv1.weight 3.1e-02 > 1e-04" or "… ≤ …"."""
    tensor = tensor_words(name, check)
    return f"{name}{tensor and ' '}{tensor} {error(check.error)} {'≤' if holds(check) else '>'} {check.tolerance:.0e}"


def dropout_words(check: DropoutCheck) -> str:
    """Write how far dropout moves a weight's first update, against the reference's mean and scatter."""
    expected = f"{number(check.expected, 3)} ± {number(check.sd, 1)}"
    return f"moves {check.tensor} by {number(check.distance, 3)}, reference {expected}"


def failed_checks(equivalence: Equivalence) -> list[str]:
    """Describe every comparison that failed, the worst first."""
    worst = worst_check(equivalence)
    others = [named for named in checks(equivalence) if named != worst]
    found = [check_words(*named) for named in (worst, *others) if not holds(named[1])]
    if equivalence.dropout and not equivalence.dropout.passed:
        found.append(f"dropout while training: {dropout_words(equivalence.dropout)}")
    return found


def proof_words(contender: ContenderResult) -> str:
    """Say whether it is the same network, with the figure that decides it."""
    proof = contender.equivalence
    if proof is None:
        return f"not proven: {reason_words(contender)}"
    if not proof.passed:
        return f"not the same network: {'; '.join(failed_checks(proof)) or contender.reason}"
    return f"same network, worst: {check_words(*worst_check(proof))}"


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


def check_names(workload: WorkloadResult) -> list[str]:
    """Name the comparisons that a proof of this workload makes."""
    return ["logits", "loss", "gradients", "update"] if workload.trained else ["features"]


# ---------------------------------------------------------------- sentences


def listed(names: Sequence[str]) -> str:
    """Write "a", "a and b" or "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def verdict(workload: WorkloadResult) -> str:
    """Say in one or two sentences which contender is fastest, by how much and how sure that is."""
    order = ranked(workload)
    if not order:
        return "No contender could be ranked."
    first = order[0]
    if len(order) == 1:
        words = f"{marked_name(first)} is the only contender that could be ranked."
    else:
        ties = [contender for contender in order[1:] if is_tie(contender)]
        behind = [contender for contender in order[1:] if not is_tie(contender)]
        words = (
            f"{listed([marked_name(c) for c in (first, *ties)])} tie: the run can't tell which is fastest."
            if ties
            else f"{marked_name(first)} is fastest."
        )
        if behind:
            words += f" Next: {marked_name(behind[0])} at {ratio_words(behind[0].ratio)}."
            if behind[0].ratio and behind[0].ratio.low is None:
                words += " How sure that is, one launch can't tell."
    plain = [contender for contender in order if contender.precision == "float32"]
    if first.precision != "float32" and plain:
        words += f" Fastest in float32: {plain[0].name}, {ratio_words(plain[0].ratio)}."
    return words


def ratio_meaning(workload: WorkloadResult, protocol: Protocol | None = None) -> str:
    """Say what the ratios are relative to and what the interval is."""
    order = ranked(workload)
    reference = next((c.ratio.to for c in order if c.ratio), None)
    if reference is None:
        return "No ratios."
    launches = len({chunk.launch for contender in order for chunk in contender.chunks})
    level = f"{100 * protocol.confidence:g} % interval" if protocol else "interval"
    words = f"Ratio: samples/s relative to {reference}, from paired {round_word(protocol)}s."
    if launches < 2:
        return f"{words} No interval: that takes at least two launches."
    return f"{words} In brackets: its {level} over {launches} launches; a tie where that contains 1."


def round_word(protocol: Protocol | None) -> str:
    """Name a round: an epoch where the run follows the published protocol."""
    return "epoch" if protocol and protocol.epochs else "round"


def interval_method(protocol: Protocol) -> str:
    """Say how the intervals come about."""
    stretch = "trains for one epoch" if protocol.epochs else "runs one chunk"
    return (
        f"In each round every contender {stretch}; the logarithm of the ratio of two contenders' speeds is taken "
        "round by round, so what the machine does to both cancels. These are averaged inside each launch first, "
        "because the rounds of one set of processes share its luck; the interval is Student's t over the launches' "
        "means. It covers the luck of a launch on this machine and says nothing about other machines."
    )


def machine_words(machine: Machine) -> str:
    """Describe the machine in a line."""
    parts = [machine.cpu, f"{machine.cores} cores", f"{machine.memory_bytes / 2**30:.0f} GiB", machine.device]
    if "cuda" in machine.device:
        parts += [_gpu_words(gpu) for gpu in machine.gpus]
    if machine.matmul_flops is not None:
        parts.append(f"{machine.matmul_flops / 1e9:,.0f} GFLOP/s float32 matrix product")
    return ", ".join([*parts, machine.host_platform])


def _gpu_words(gpu: Gpu) -> str:
    peak = f", {gpu.peak_flops / 1e12:.0f} TFLOP/s float32 at most" if gpu.peak_flops else ""
    return f"{gpu.name} ({gpu.memory_bytes / 2**30:.0f} GiB{peak})"


def load_words(machine: Machine) -> list[str]:
    """Say how quiet the machine was, as far as that was measured."""
    found = []
    if machine.background_load is not None:
        found.append(f"other programs kept {machine.background_load:.2f} cores busy while chunks ran")
    if machine.host_load is not None:
        found.append(f"Rosetta's own host {machine.host_load:.2f}")
    if machine.canary_drift is not None:
        found.append(f"the machine's own speed drifted by {100 * machine.canary_drift:.1f} % (sd)")
    return found


def unfinished(result: Result) -> str:
    """Warn of a run that isn't complete; empty if it is."""
    return "" if result.complete else "This run is not complete: these are the figures so far."
