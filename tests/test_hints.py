"""Hints: which sizes leave a matrix unit idle, on which devices and in which precisions."""

from pathlib import Path

import pytest

from rosetta.contenders.contender import parse_contender
from rosetta.contenders.hints import has_amx, hints
from rosetta.contenders.manifest import frameworks
from rosetta.workloads import find_workload

KNOWN = frameworks()
CNN = find_workload("cifar10_cnn")


def said(contender: str, amx: bool = False, workload: str = "cifar10_cnn") -> list[str]:
    return hints([parse_contender(contender, KNOWN)], [find_workload(workload)], amx)


def test_a_tpu_wants_multiples_of_8_and_128() -> None:
    found = said("jax@tpu")
    assert found[0] == "cifar10_cnn on a TPU's matrix unit: dense2's width 10 leaves 92% of it idle, 128 would fill it."
    assert "conv1's width 50 leaves 61% of it idle, 128 would fill it." in found[1]
    assert not any("batch" in hint for hint in found), "64 is a multiple of 8"
    assert "batch of each replica 4 leaves 50% of it idle, 8 would fill it." in said("jax@16xtpu")[0]


def test_tensor_cores_and_amx_are_used_in_bf16_only() -> None:
    assert said("torch@cuda") == [], "float32, with TF32 off, is computed elsewhere"
    assert "the tensor cores: dense2's width 10 leaves 38% of it idle, 16 would fill it." in said("torch[bf16]@cuda")[0]
    assert "AMX: dense2's width 10" in said("torch[bf16]", amx=True)[0]
    assert said("torch[bf16]") == said("torch", amx=True) == []


def test_what_fills_the_unit_needs_no_word() -> None:
    assert len(said("jax@tpu", workload="mnist_mlp")) == 1, "only the ten classes"
    assert hints([], [CNN], True) == []


@pytest.mark.parametrize(("flags", "expected"), [("flags : sse2 amx_bf16 amx_tile", True), ("flags : sse2", False)])
def test_amx_is_among_the_processors_flags(flags: str, expected: bool, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\n{flags}\n")
    assert has_amx(tmp_path / "cpuinfo") == expected
    assert not has_amx(tmp_path / "none")
