"""The folder of a network of one's own: ``network.toml`` read as hostile text, checked, and made from a network."""

import os
from pathlib import Path

import numpy as np
import pytest

import rosetta
from rosetta.contenders.manifest import frameworks
from rosetta.errors import RosettaError
from rosetta.models.own_folder import new_network
from rosetta.networks.folder import read_folder
from rosetta.networks.inputs import make_inputs, make_targets, parse_input, parse_target

HEAD = 'title = "A network"\nnetworks = ["torch", "jax"]\n'
GOOD = HEAD + "[[inputs]]\nshape = [3, 8, 8]\n"
TORCH = """import torch
from shared import CLASSES
from torch import nn


class Net(nn.Module):
    def __init__(self, width=6):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)
        self.out = nn.Linear(width, CLASSES)

    def forward(self, x):
        return self.out(torch.relu(self.conv(x)).mean((2, 3)))


make_network = Net
"""
JAX = """import jax
from flax import nnx
from shared import CLASSES


class Net(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(3, 6, (3, 3), rngs=rngs)
        self.out = nnx.Linear(6, CLASSES, rngs=rngs)

    def __call__(self, x):
        return self.out(jax.nn.relu(self.conv(x)).mean((1, 2)))


make_network = Net
"""


def folder_of(place: Path, text: str, name: str = "mynet") -> Path:
    folder = place / name
    folder.mkdir()
    (folder / "network.toml").write_text(text)
    (folder / "torch.py").write_text(TORCH)
    (folder / "jax.py").write_text(JAX)
    (folder / "shared.py").write_text("CLASSES = 5\n")
    return folder


def test_the_standard_is_first_and_packages_reach_their_own_framework(tmp_path: Path) -> None:
    text = GOOD.replace("[[", 'standard = "jax"\npackages = {torch = ["einops"]}\n[[', 1)
    text += '[tolerances]\nreason = "as published"\noutputs = 1e-6\n'
    networks = read_folder(folder_of(tmp_path, text)).networks(frameworks(), "cpu")
    assert [network.contender.framework.name for network in networks] == ["jax", "torch"]
    assert [network.contender.extra for network in networks] == [(), ("einops",)]
    own = networks[0].tolerances
    assert own is not None and (own.logits, own.loss, own.gradients) == (1e-6, 1e-6, 1e-4)


BAD = {
    GOOD.replace("title", "titel"): "Did you mean title",
    GOOD.replace("shape", "shpe"): "Did you mean shape",
    GOOD.replace('["torch", "jax"]', '["torch", "torch"]'): "twice",
    GOOD.replace('["torch", "jax"]', '["torch:../x.py:Net"]'): "no contender",
    GOOD.replace("[[", 'standard = "keras"\n[[', 1): "isn't among networks",
    GOOD.replace("[3, 8, 8]", "[3, 0]"): "greater than or equal to 1",
    GOOD.replace("[3, 8, 8]", '["3"]'): "valid integer",
    GOOD + 'data = "/etc/passwd.npy"\n': "isn't a path inside",
    GOOD + 'data = "../x.npy"\n': "isn't a path inside",
    GOOD + 'data = "x.pkl"\n': "neither a .npy",
    GOOD + 'data = "x.npz"\n': "array names which",
    GOOD + "floats = [1.0, 0.0]\n": "isn't below",
    GOOD + "floats = [nan, 0.0]\n": "finite",
    GOOD + "floats = [0.0, 1.0]\nintegers = [0, 3]\n": "name one of",
    GOOD + "[[targets]]\n": "class of each sample",
    GOOD + "[[targets]]\nintegrs = [0, 3]\n": "Did you mean integers",
    GOOD + "[tolerances]\noutputs = 1e-3\n": "reason",
    GOOD + '[tolerances]\nreason = "x"\noutputs = inf\n': "tolerances.outputs",
    HEAD: "inputs",
    "title = ": "isn't valid TOML",
}


@pytest.mark.parametrize("text", BAD)
def test_what_a_manifest_may_not_say_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(RosettaError, match=BAD[text]):
        read_folder(folder_of(tmp_path, text))


LATER = {
    GOOD.replace('"jax"', '"jaxx"'): "Did you mean jax",
    GOOD.replace('"jax"', '"mlx"'): "names mlx.py, which isn't there",
    GOOD.replace("[[", 'packages = {troch = ["a"]}\n[[', 1): "Did you mean torch",
    GOOD.replace("[[", 'packages = {torch = ["--index-url x"]}\n[[', 1): "is no package",
    GOOD + "integers = [5, 5]\n": "no whole numbers",
    GOOD + 'data = "x.npy"\n': "isn't there",
}


@pytest.mark.parametrize("text", LATER)
def test_what_isnt_there_is_named(tmp_path: Path, text: str) -> None:
    own = read_folder(folder_of(tmp_path, text))
    with pytest.raises(RosettaError, match=LATER[text]):
        own.networks(frameworks(), "cpu")
        make_inputs(own.inputs, 2, 1)


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, GOOD)
    (tmp_path / "elsewhere.py").write_text(JAX)
    (folder / "jax.py").unlink()
    (folder / "jax.py").symlink_to(tmp_path / "elsewhere.py")
    with pytest.raises(RosettaError, match="leads out"):
        read_folder(folder).networks(frameworks(), "cpu")
    (folder / "network.toml").rename(tmp_path / "network.toml")
    (folder / "network.toml").symlink_to(tmp_path / "network.toml")
    with pytest.raises(RosettaError, match="link"):
        read_folder(folder)


def test_names_of_rosettas_workloads_are_taken(tmp_path: Path) -> None:
    with pytest.raises(RosettaError, match="has a workload mnist_mlp"):
        read_folder(folder_of(tmp_path, GOOD, "mnist_mlp"))
    with pytest.raises(RosettaError, match="no folder"):
        read_folder(tmp_path / "nothing")


def test_inputs_come_from_files(tmp_path: Path) -> None:
    text = HEAD + '[[inputs]]\nshape = [2]\ndata = "a.npy"\n[[inputs]]\nshape = [3]\ndata = "b.npz"\narray = "ids"\n'
    folder = folder_of(tmp_path, text)
    np.save(folder / "a.npy", np.arange(10.0).reshape(5, 2))
    np.savez(folder / "b.npz", ids=np.arange(15).reshape(5, 3))
    floats, ids = make_inputs(read_folder(folder).inputs, 4, 1)
    assert floats.dtype == np.float32 and floats.tolist() == np.arange(8.0).reshape(4, 2).tolist()
    assert ids.dtype == np.int64 and ids.shape == (4, 3)
    with pytest.raises(RosettaError, match="at least 6 samples"):
        make_inputs(read_folder(folder).inputs, 6, 1)
    np.save(folder / "a.npy", np.array([{}] * 5), allow_pickle=True)
    with pytest.raises(RosettaError, match="no array that can be read"):
        make_inputs(read_folder(folder).inputs, 4, 1)
    (folder / "a.npy").unlink()
    os.mkfifo(folder / "a.npy")
    with pytest.raises(RosettaError, match="isn't there"):
        make_inputs(read_folder(folder).inputs, 4, 1)


def test_targets_are_made_as_inputs_are_and_may_be_a_number_a_sample(tmp_path: Path) -> None:
    text = GOOD + "[[targets]]\nintegers = [0, 10]\n[[targets]]\nshape = [5]\n"
    classes, floats = make_targets(read_folder(folder_of(tmp_path, text)).targets, 4, 1)
    assert classes.dtype == np.int64 and classes.shape == (4,) and floats.shape == (4, 5)
    (same,) = make_targets([parse_target("int:0:10")], 4, 1)
    assert same.tolist() == classes.tolist()
    for text in ("int:0", "int:5:5", "x"):
        with pytest.raises(RosettaError, match=r"target|whole numbers"):
            parse_target(text)


def test_real_numbers_between_two(tmp_path: Path) -> None:
    (array,) = make_inputs([parse_input("float:-1:2.5:100x3")], 4, 1)
    assert array.dtype == np.float32 and -1 <= array.min() < -0.9 and 2.4 < array.max() <= 2.5
    for text in ("float:1:1:3", "float:e:1:3", "float:0:1e99:3", "float:0:1:"):
        with pytest.raises(RosettaError, match=r"is no input|no real numbers"):
            parse_input(text)


def test_a_folder_is_no_workload_that_is_trained_by_itself(tmp_path: Path) -> None:
    with pytest.raises(RosettaError, match="doesn't train, convert or ask them by themselves"):
        rosetta.train(str(folder_of(tmp_path, GOOD)), "torch")


@pytest.mark.long
def test_a_folder_is_made_and_checked(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(TORCH.replace("from shared import CLASSES\n", "CLASSES = 5\n"))
    files = new_network("mynet", f"torch:{tmp_path / 'model.py'}:Net(width=6)", "float:0:1:3x8x8", out=tmp_path)
    assert [file.name for file in files] == ["model.py", "network.toml", "torch.py"]
    folder = tmp_path / "mynet"
    table = read_folder(folder).table
    assert table.parameters == 6 * 28 + 7 * 5 and [(o.name, o.shape) for o in table.outputs] == [("output", [4, 5])]
    with pytest.raises(RosettaError, match="nothing to hold"):
        rosetta.check(str(folder))
    (folder / "jax.py").write_text(JAX)
    (folder / "shared.py").write_text("CLASSES = 5\n")
    manifest = folder / "network.toml"
    manifest.write_text(manifest.read_text().replace('"torch"', '"torch", "jax"').replace('"torch@cpu"', '"torch"'))
    result = rosetta.check(str(folder))
    assert result.same and result.parameters == 203 and len(result.ports) == 1
