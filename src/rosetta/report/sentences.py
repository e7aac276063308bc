"""Says in sentences what a run found, on what data and machine, and how."""

from rosetta.record.result import Gpu, Machine, Protocol, Result, WorkloadResult
from rosetta.report.numbers import NOTHING, giga, number
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
    several = any(c.ratio and c.ratio.simultaneous_low is not None for c in order)
    how = "what a {0} does to all taken out" if several else "from paired {0}s"
    words = f"Ratio: samples/s relative to {reference}, {how.format(round_word(protocol))}."
    if launches < 2:
        return f"{words} No interval: that takes at least two launches."
    words = f"{words} In brackets: its {level} over {launches} launches"
    if not several:
        return f"{words}; a tie where that contains 1."
    return (
        f"{words}, of this ratio by itself. A tie: with all {len(order)} judged at once, which takes a wider margin, "
        f"it may be as fast as {reference}. Without the word it is slower."
    )


def round_word(protocol: Protocol | None) -> str:
    """Name a round: an epoch where the run follows the published protocol."""
    return "epoch" if protocol and protocol.epochs else "round"


def rounds_words(protocol: Protocol, workload: str) -> str:
    """Say how many rounds each launch has on a workload, and where minutes were given why so many."""
    words = f"{protocol.rounds[workload]} in each launch"
    if protocol.minutes is None or protocol.precision is not None:
        return words
    minutes = f"{protocol.minutes:g} minute{'s' if protocol.minutes != 1 else ''}"
    match protocol.rounds_bound.get(workload):
        case "minutes":
            return f"{words}, what {minutes} hold"
        case "most":
            return f"{words}, the most that are of use, though {minutes} hold more"
        case "fewest":
            return f"{words}, the fewest, though {minutes} hold less"
    return f"{words} at least, as many as {minutes} hold"


def precision_words(workload: WorkloadResult, protocol: Protocol) -> str:
    """Say whether the intervals are as narrow as was asked for, and why some aren't; empty if nothing was asked."""
    if protocol.precision is None:
        return ""
    asked = f"Asked for: intervals of ± {100 * protocol.precision:g} %."
    if protocol.first_launches is None:
        return f"{asked} How many launches that takes isn't decided yet."
    if not workload.wider:
        return f"{asked} After {protocol.launches} launches none is wider."
    stayed = "; ".join(f"{name} {why}" for name, why in workload.wider.items())
    return f"{asked} Wider after {protocol.launches} launches: {stayed}."


def interval_method(protocol: Protocol) -> str:
    """Say how the intervals and the ties come about."""
    stretch = "trains for one epoch" if protocol.epochs else "runs one chunk"
    one, level = round_word(protocol), f"{100 * protocol.confidence:g} %"
    words = (
        f"In each {one} every contender {stretch}. What a {one} did to all of them is estimated from all of them and "
        f"taken out of the logarithms of their speeds; with two contenders that is pairing them {one} by {one}. The "
        "rest is averaged inside each launch first, because the rounds of one set of processes share its luck. Each "
        "contender has a variance of its own over the launches, and the interval of a ratio is Student's t with "
        "Satterthwaite's degrees of freedom. It holds for that ratio by itself. The fastest is picked from the figures "
        "that it is then compared with, and among several one seems slow by luck more often than among two; so who is "
        f"slower than the fastest is judged by wider intervals, which hold for all pairs at once at {level} confidence "
        "(Games and Howell): if one contains 1, it is a tie. "
    )
    if protocol.first_launches is not None:
        words += (
            f"How many launches there are was decided by how much the first {protocol.first_launches} scattered, so no "
            "interval is narrower than that scatter makes it (Stein). "
        )
    return f"{words}All this covers the luck of a launch on this machine and says nothing about other machines."


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
    # Older records have 0 where a busy machine didn't come to its end in time.
    return f"{giga(peak)} GFLOP/s{by}" if peak else NOTHING


def copy_words(machine: Machine) -> str:
    """Say how fast the machine copies memory."""
    speed = machine.copy_bytes_per_second
    return f"{number(speed / 1e9)} GB/s" if speed else NOTHING


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
    if result.complete:
        return ""
    disturbed = dict.fromkeys(c.name for each in result.results for c in each.contenders if c.disturbed_by)
    again = f" What disturbed {listed(list(disturbed))} is tried again by rosetta run --resume." if disturbed else ""
    return f"This run is not complete: these are the figures so far.{again}"


def damage_words(result: Result) -> str:
    """Say which lines of a run's events were left out, and why; empty where all are whole."""
    if not result.left_out:
        return ""
    return f"Of events.jsonl was left out what can't be read: {'; '.join(result.left_out)}."
