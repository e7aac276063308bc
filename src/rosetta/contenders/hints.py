"""Hints where a batch or a layer's width leaves part of a device's matrix unit idle; they change nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rosetta.contenders.contender import Contender
from rosetta.workloads.spec import Workload

_GATES = {"lstm_weight": 4, "gru_weight": 3, "mgu_weight": 2}
_KINDS = ("dense_weight", "conv2d_weight", *_GATES)
_IDLE = 0.1
"""From which idle share of the unit on a layer is worth a word."""
_SHOWN = 3


@dataclass(frozen=True)
class MatrixUnit:
    """What multiplies matrices in one piece: rows of the batch by columns of a layer's outputs."""

    name: str
    batch: int
    width: int


# A batch a multiple of 8 and widths of 128: the tiles of 8 × 128 in which XLA pads a TPU's arrays (Google Cloud TPU
# performance guide). 8 values: 16 bytes of bf16, which tensor cores want aligned (NVIDIA's Deep Learning Performance
# guide, "Tensor Core Requirements"). 16 rows: a tile of Intel's AMX (Intel 64 and IA-32 manual, TILECFG).
_TPU = MatrixUnit("a TPU's matrix unit", 8, 128)
_TENSOR_CORES = MatrixUnit("the tensor cores", 8, 8)
_AMX = MatrixUnit("AMX", 16, 16)


def has_amx(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor has tiles for bf16 matrix products (Linux)."""
    return cpuinfo.exists() and "amx_bf16" in cpuinfo.read_text("utf-8", "replace")


def matrix_unit(contender: Contender, amx: bool) -> MatrixUnit | None:
    """Return the unit that computes a contender's products, if they are of a precision that it takes."""
    if contender.device == "tpu":
        return _TPU
    if "bf16" not in contender.precision and "tf32" not in contender.precision.lower():
        return None
    return _TENSOR_CORES if contender.device == "cuda" else _AMX if amx else None


def hints(contenders: Iterable[Contender], workloads: Sequence[Workload], amx: bool | None = None) -> list[str]:
    """Say which batches and widths leave a tenth or more of a unit idle, and the next size that would fill it."""
    amx = has_amx() if amx is None else amx
    found: dict[str, None] = {}
    for contender in contenders:
        unit = matrix_unit(contender, amx)
        if unit is None:
            continue
        for workload in workloads:
            batch = workload.batch_size // contender.replicas
            of_each = " of each replica" if contender.replicas > 1 else ""
            for what, size, multiple in [(f"batch{of_each}", batch, unit.batch), *_widths(workload, unit.width)]:
                full = -(-size // multiple) * multiple
                if 1 - size / full >= _IDLE:
                    found[
                        f"{workload.name} on {unit.name}: {what} {size} leaves {1 - size / full:.0%} of it idle, "
                        f"{full} would fill it."
                    ] = None
    return list(found)


def _widths(workload: Workload, multiple: int) -> list[tuple[str, int, int]]:
    """Return the widest-wasting layers, a few, each with its number of outputs."""
    widths = {
        parameter.name.rpartition(".")[0]: parameter.shape[0] // _GATES.get(parameter.kind, 1)
        for parameter in workload.parameters
        if parameter.kind in _KINDS
    }
    worst = sorted(widths.items(), key=lambda pair: pair[1] / (-(-pair[1] // multiple) * multiple))
    return [(f"{layer}'s width", width, multiple) for layer, width in worst[:_SHOWN]]
