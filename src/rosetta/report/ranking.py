"""Orders the contenders of a workload by speed, and names them."""

from collections.abc import Sequence

from rosetta.record.result import ContenderResult, WorkloadResult


def ranked(workload: WorkloadResult) -> list[ContenderResult]:
    """Return the contenders with a valid speed, fastest first: by ratio where there is one."""

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
    """Whether, all contenders judged at once, this one isn't shown to be slower than the fastest."""
    ratio = contender.ratio
    return ratio is not None and ratio.tie and ratio.low is not None and not is_reference(contender)


def ranks(order: Sequence[ContenderResult]) -> list[int]:
    """Return the ranks of contenders in order; those that tie with the fastest share its rank."""
    return [1 if is_tie(contender) else place for place, contender in enumerate(order, 1)]


def marked_name(contender: ContenderResult) -> str:
    """Name the contender, with its precision unless that is float32."""
    return contender.name if contender.precision == "float32" else f"{contender.name} ({contender.precision})"
