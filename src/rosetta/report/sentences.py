"""Says in sentences what a run found, on what data and machine, and how."""

from rosetta.record.result import Gpu, Machine, Protocol, Result, WorkloadResult
from rosetta.report.numbers import NOTHING
from rosetta.report.ranking import is_tie, marked_name, ranked
from rosetta.report.ratios import ratio_words
from rosetta.report.text import listed


def is_synthetic(workload: WorkloadResult) -> bool:
    """Whether any of the data was made up."""
    return "synthetic" in workload.data.lower()


def data_words(workload: WorkloadResult) -> str:
    """Name the kind of data, loudly if it isn't real."""
    if not is_synthetic(workload):
        return f"data: {workload.data}"
    return "SYNTHETIC DATA" if workload.data == "synthetic" else f"SYNTHETIC DATA: {workload.data}"


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
    if machine.cpu_quota is not None:
        parts.append(f"CPU quota {machine.cpu_quota:g}")
    if (peak := peak_words(machine)) != NOTHING:
        parts.append(f"{peak} float32 matrix product")
    return ", ".join([*parts, machine.host_platform])


def peak_words(machine: Machine) -> str:
    """Say what the machine reached in a float32 matrix product, and in whose; older records have NumPy's alone."""
    peak = machine.matmul_flops if machine.peak_flops is None else machine.peak_flops
    by = f" ({machine.peak_by})" if machine.peak_by else ""
    return NOTHING if peak is None else f"{peak / 1e9:,.0f} GFLOP/s{by}"


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
