"""On which device, and as how many replicas, a contender computes: with a made-up list of devices."""

import pytest

from rosetta.contenders import placement
from rosetta.contenders.contender import parse_contender
from rosetta.contenders.device import Device, Wanted
from rosetta.contenders.manifest import frameworks
from rosetta.contenders.placement import check_replicas, placed
from rosetta.errors import RosettaError
from rosetta.workloads import find_workload

KNOWN = frameworks()


def machine_with(monkeypatch: pytest.MonkeyPatch, **counts: int) -> None:
    there: dict[Device, int] = {"cpu": 1, "cuda": counts.get("cuda", 0), "tpu": counts.get("tpu", 0)}
    monkeypatch.setattr(placement, "present", lambda: there)


@pytest.mark.parametrize(
    ("text", "name", "device", "replicas"),
    [
        ("torch", "torch", "cpu", 1),
        ("torch@cpu", "torch", "cpu", 1),
        ("torch@cuda", "torch@cuda", "cuda", 1),
        ("torch[bf16]@cuda", "torch[bf16]@cuda", "cuda", 1),
        ("torch@8xcpu", "torch@8xcpu", "cpu", 8),
        ("torch[compile]==2.13.0@2xcuda", "torch[compile]==2.13.0@2xcuda", "cuda", 2),
    ],
)
def test_a_contender_names_its_place(text: str, name: str, device: str, replicas: int) -> None:
    found = parse_contender(text, KNOWN)
    assert (found.name, found.device, found.replicas) == (name, device, replicas)
    assert parse_contender(found.name, KNOWN) == found


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("torch@gpu", "There is no device 'gpu'"),
        ("torch@0xcpu", "asks for no replica"),
        ("torch@8", "isn't a contender"),
        ("torch@", "isn't a contender"),
        ("torch@cpu@cuda", "isn't a contender"),
    ],
)
def test_a_place_that_is_none_is_said(text: str, cause: str) -> None:
    with pytest.raises(RosettaError) as error:
        parse_contender(text, KNOWN)
    assert cause in error.value.cause


def test_without_a_wish_the_gpu_is_taken_by_those_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    machine_with(monkeypatch, cuda=2)
    assert placed("torch", KNOWN).name == "torch@cuda"
    assert placed("torch", KNOWN, replicas=2).name == "torch@2xcuda"
    assert placed("torch@cpu", KNOWN).name == "torch"
    assert placed("torch", KNOWN, "cpu").name == "torch"
    assert placed("lasagne", KNOWN).name == "lasagne", "it has no packages for a GPU here"
    assert placed("torch[tf32]", KNOWN).name == "torch[tf32]@cuda"
    assert placed("jax", KNOWN).packages("cuda") != placed("jax@cpu", KNOWN).packages("cpu")
    machine_with(monkeypatch)
    assert placed("torch", KNOWN).name == "torch"
    assert placed("torch", KNOWN, replicas=4).name == "torch@4xcpu"


@pytest.mark.parametrize(
    ("text", "wanted", "replicas", "cause"),
    [
        ("torch", "tpu", 1, "there is no TPU in this machine"),
        ("torch@tpu", "auto", 1, "there is no TPU in this machine"),
        ("lasagne", "cuda", 1, "Lasagne has no packages for cuda"),
        ("torch", "cuda", 3, "there are 2 NVIDIA GPUs, not 3"),
        ("torch@9999xcpu", "auto", 1, "9999 replicas take about"),
        ("torch[tf32]@cpu", "auto", 1, "'tf32' means something on cuda only"),
        ("keras[jax,tf32]", "cpu", 1, "'tf32' means something on cuda only"),
    ],
)
def test_a_device_that_is_not_there_is_said(
    text: str, wanted: Wanted, replicas: int, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_with(monkeypatch, cuda=2)
    with pytest.raises(RosettaError) as error:
        placed(text, KNOWN, wanted, replicas)
    assert cause in error.value.cause and (error.value.remedy or replicas == 3)


def test_replicas_share_a_batch_equally() -> None:
    workload = find_workload("mnist_mlp")
    for good in (1, 2, 128):
        check_replicas(parse_contender(f"torch@{good}xcpu", KNOWN), workload)
    for bad in (3, 129, 256):
        with pytest.raises(RosettaError, match=f"a batch of 128 can't be shared equally by {bad} replicas"):
            check_replicas(parse_contender(f"torch@{bad}xcpu", KNOWN), workload)
    check_replicas(parse_contender("torch@256xcpu", KNOWN), workload, 512)
    for name, words in (("resnet50_features", "isn't trained"), ("cifar10_keras_cnn_loader", "loader")):
        with pytest.raises(RosettaError, match=words):
            check_replicas(parse_contender("torch@2xcpu", KNOWN), find_workload(name))


def test_who_trains_no_replicas_says_so() -> None:
    assert "Lasagne trains no replicas" in parse_contender("lasagne@2xcpu", KNOWN).why_not("mnist_mlp")
    assert parse_contender("lasagne", KNOWN).why_not("mnist_mlp") == ""


def test_a_reader_is_told_how_replicas_train() -> None:
    assert "Replicas: DistributedDataParallel" in parse_contender("torch@2xcpu", KNOWN).note("mnist_mlp")
    assert "Replicas" not in parse_contender("torch", KNOWN).note("mnist_mlp")


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_who_declares_replicas_has_the_text_that_trains_them(name: str) -> None:
    framework = KNOWN[name]
    declared = [framework.replication, *(variant.replication for variant in framework.variants.values())]
    assert any(declared) == (framework.folder / "replicas.py").exists()
