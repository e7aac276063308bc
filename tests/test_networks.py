"""How networks of the user's own and their inputs are named; nothing of the user's runs in the host."""

from pathlib import Path

import numpy as np
import pytest

from rosetta.contenders.manifest import frameworks
from rosetta.errors import RosettaError
from rosetta.networks.inputs import make_inputs, parse_input
from rosetta.networks.notation import parse_network

KNOWN = frameworks()


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.py"
    path.write_text("raise SystemExit('the host has run it')\n")
    return path


def test_a_file_and_a_name(model: Path) -> None:
    found = parse_network("torch==2.13.0:model.py:parts.Net", KNOWN, "cpu")
    assert found.contender.name == "torch==2.13.0"
    assert (found.file, found.module, found.name, found.arguments) == (model, None, "parts.Net", {})


def test_a_module_and_arguments(model: Path) -> None:
    found = parse_network("torch:torchvision.models:resnet18(weights=None, sizes=[1, (2, 3)], act='a:b(c)')", KNOWN)
    assert (found.file, found.module, found.name) == (None, "torchvision.models", "resnet18")
    assert found.arguments == {"weights": None, "sizes": [1, (2, 3)], "act": "a:b(c)"}


@pytest.mark.parametrize(
    "text, said",
    {
        "torch": "names no network",
        "torch:model.py": "names no network",
        "torch:model.py:": "names no network",
        "torch:model.py:Net(": "names no network",
        "torch:model.py:1Net": "names no network",
        "torch:other.py:Net": "other.py can't be read: No such file",
        "torch:.:Net": "neither a Python file nor a module",
        "torch:../x/y:Net": "neither a Python file nor a module",
        "torch:model.py:Net(3)": "each needs its name",
        "torch:model.py:Net(**{'a': 1})": "each needs its name",
        "torch:model.py:Net(a=open('x'))": "a isn't a literal",
        "torch:model.py:Net(a=1j)": "a isn't a literal",
        "torch:model.py:Net(a=b'x')": "a isn't a literal",
        "torch:model.py:Net(a=1e999)": "a isn't a literal",
        "torch:model.py:Net(a=1, a=2)": "a is there twice",
        "torch:model.py:Net(a=1)(b=2)": "can't be read",
        "torch:model.py:Net(a=)": "can't be read",
        "torhc:model.py:Net": "Did you mean torch",
        "chainer:model.py:Net": "takes no networks of one's own",
        "torch[compile]:model.py:Net": "the variant compile isn't applied",
        "torch@2xcpu:model.py:Net": "has no replicas",
        "torch:model\0.py:Net": "can't be read",
        "torch:" + "m" * 200_000 + ":Net": "names no network",
        f"torch:model.py:Net(a={'(' * 5000})": "can't be read",
    }.items(),
)
def test_what_names_no_network_is_told(model: Path, text: str, said: str) -> None:
    with pytest.raises(RosettaError) as raised:
        parse_network(text, KNOWN, "cpu")
    assert said in str(raised.value)
    assert len(str(raised.value)) < 12_000


def test_a_link_that_the_user_names_is_followed_and_a_fifo_is_not_waited_for(model: Path) -> None:
    import os

    Path("link.py").symlink_to(model)
    assert parse_network("torch:link.py:Net", KNOWN, "cpu").file == model.with_name("link.py")
    os.mkfifo("fifo.py")
    with pytest.raises(RosettaError, match=r"fifo\.py can't be read"):
        parse_network("torch:fifo.py:Net", KNOWN, "cpu")


def test_packages_go_into_the_environments_that_they_are_for(model: Path) -> None:
    packages = ["einops==0.8.0", "torch:torchvision", "jax:chex", "six@https://example.org/six.whl"]
    found = parse_network("torch:model.py:Net", KNOWN, "cpu", packages).contender
    assert found.extra == ("einops==0.8.0", "six@https://example.org/six.whl", "torchvision")
    assert {"torchvision", "torch==2.13.0"} <= set(found.packages("cpu"))
    with pytest.raises(RosettaError, match="'torch:--hidden' is no package"):
        parse_network("torch:model.py:Net", KNOWN, "cpu", ["torch:--hidden"])


def test_inputs_are_made_by_the_seed() -> None:
    images, tokens = make_inputs([parse_input("3x4x5"), parse_input("int:-2:7:6")], 50, 1)
    assert images.shape == (50, 3, 4, 5) and images.dtype == np.float32 and abs(float(images.std()) - 1) < 0.05
    assert tokens.shape == (50, 6) and tokens.dtype == np.int64 and (tokens.min(), tokens.max()) == (-2, 6)
    again = make_inputs([parse_input("3x4x5"), parse_input("int:-2:7:6")], 50, 1)
    other = make_inputs([parse_input("3x4x5")], 50, 2)
    assert np.array_equal(images, again[0]) and not np.array_equal(images, other[0])


@pytest.mark.parametrize(
    "text", ["", "3,32,32", "0x3", "-3", "3x", "x", "³x3", "int:3", "int:5:5:3", "int:9:2:3", "int:0:9999999999:3",
             "int:a:b:3", "1x1x1x1x1x1x1x1x1", "9" * 500]
)  # fmt: skip
def test_what_is_no_input_is_told(text: str) -> None:
    with pytest.raises(RosettaError) as raised:
        parse_input(text)
    assert "Write the shape" in raised.value.remedy


def test_inputs_that_are_none_or_too_large_are_told() -> None:
    with pytest.raises(RosettaError, match="inputs aren't named"):
        make_inputs([], 4, 1)
    with pytest.raises(RosettaError, match="--batch is at least 1"):
        make_inputs([parse_input("3")], 0, 1)
    with pytest.raises(RosettaError, match="Take a smaller --batch"):
        make_inputs([parse_input("99999x99999x99999")], 1, 1)
