"""What users kept from version 0.1.0 goes on working: run directories, weights, checkpoints, a framework of their own.

Only the command line and files are used here, so that these tests outlive every change inside.
"""

import csv
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROSETTA = str(Path(sys.executable).with_name("rosetta"))
SAMPLES = Path(__file__).parent / "samples"
FRAMEWORKS = SAMPLES / "frameworks"
FAKES = Path(__file__).parent / "frameworks"
RECORDS = sorted(folder.name for folder in (SAMPLES / "records").iterdir())
WEIGHTS = SAMPLES / "weights" / "babi.safetensors"
WORKLOAD = "babi_rnn[qa4]"
INSIDE_ROOT = "RMSprop has ε inside the root, lr·g / √(v + 1e-14); the workload has it outside, lr·g / (√v + 1e-7)."


@pytest.fixture
def rosetta(tmp_path: Path, data_folder: Path | None) -> Any:
    """Return what runs a command in an empty folder."""
    data = {"ROSETTA_DATA": str(data_folder)} if data_folder else {}

    def run(*words: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [ROSETTA, *map(str, words)],
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "200", **data},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    return run


# Run directories.


def copied(name: str, tmp_path: Path) -> Path:
    """Copy a kept run to runs/NAME, the folders that it names put in place."""
    folder = tmp_path / "runs" / name
    shutil.copytree(SAMPLES / "records" / name, folder)
    places = {"/home/user/frameworks": FRAMEWORKS, "/home/user/fakes": FAKES}
    for file in folder.iterdir():
        text = file.read_text("utf-8")
        for kept, here in places.items():
            text = text.replace(kept, str(here))
        file.write_text(text, "utf-8")
    return folder


def differences(kept: Any, now: Any, place: str = "") -> Iterator[str]:
    """Yield each place where what was kept isn't there any more; what was added doesn't matter."""
    if isinstance(kept, dict) and isinstance(now, dict):
        for key, value in kept.items():
            if key not in now:
                yield f"{place}.{key} is missing"
            else:
                yield from differences(value, now[key], f"{place}.{key}")
    elif isinstance(kept, list) and isinstance(now, list) and len(kept) == len(now):
        for number, pair in enumerate(zip(kept, now, strict=True)):
            yield from differences(*pair, f"{place}[{number}]")
    elif isinstance(kept, float) and isinstance(now, int | float):
        if not math.isclose(kept, now, rel_tol=1e-9):
            yield f"{place} was {kept}, is {now}"
    elif kept != now:
        yield f"{place} was {kept}, is {now}"


FOUND = {
    "calibrated": ("50% slower", "none (A/A)"),
    "epochs": ("homemade", "2 epochs"),
    "finished": ("no version of numpy==99.0", "SIGKILL", "There are no recurrent layers.", "not the same network"),
    "interrupted": ("planted: the tensor is upset",),
    "replicas": ("homemade@2xcpu", "2 virtual replicas"),
    "verified": ("homemade[hasty]: update dense2.bias 4.5e-01 > 1e-03",),
}


@pytest.mark.parametrize("name", RECORDS)
def test_an_old_run_has_the_same_figures(name: str, rosetta: Any, tmp_path: Path) -> None:
    folder = copied(name, tmp_path)
    kept = json.loads((folder / "result.json").read_text("utf-8"))
    (folder / "result.json").unlink()
    said = rosetta("report", folder, "--csv", "table.csv", "--markdown", "table.md").stdout
    found = differences(kept, json.loads((folder / "result.json").read_text("utf-8")))
    # Ratios are what they were; the intervals of several contenders come from all of them together since then.
    judged = re.compile(r"\.ratio\.(low|high|tie) was ")
    several = any(len(workload["contenders"]) > 2 for workload in kept["results"])
    assert [difference for difference in found if not (several and judged.search(difference))] == []
    contenders = [(w["workload"], c["name"], c) for w in kept["results"] for c in w["contenders"]]
    for text in (said, (folder / "report.html").read_text("utf-8"), (tmp_path / "table.md").read_text("utf-8")):
        assert all(label in text for _, label, _ in contenders) or (name == "calibrated" and text is said)
    assert all(sentence in said for sentence in FOUND[name]), said
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["workload"], row["contender"]): row for row in csv.DictReader(file)}
    assert len(rows) == len(contenders)
    for workload, label, contender in contenders:
        row = rows[workload, label]
        assert (row["status"], row["reason"]) == (contender["status"], contender["reason"])
        assert float(row["samples_per_second"] or "nan") == pytest.approx(
            contender["samples_per_second"] or math.nan, rel=1e-4, nan_ok=True
        )


def test_an_old_run_is_exported(rosetta: Any, tmp_path: Path) -> None:
    folder = copied("finished", tmp_path)
    table = rosetta("report", folder, "--csv", "-").stdout
    assert table.startswith("run,workload,") and "homemade[hasty]" in table
    tables = rosetta("report", folder, "--markdown", "-").stdout
    assert "| homemade " in tables


def test_old_runs_are_listed_and_compared(rosetta: Any, tmp_path: Path) -> None:
    folders = {name: copied(name, tmp_path) for name in RECORDS}
    listed = rosetta("list", "runs").stdout
    assert all(name in listed for name in RECORDS)
    compared = rosetta("compare", folders["finished"], folders["replicas"]).stdout
    assert "reference" in compared and "homemade@2xcpu (absent / ranked)" in compared
    itself = rosetta("compare", folders["finished"], folders["finished"]).stdout
    assert "1.00×" in itself.partition("numpy")[2]


def test_an_old_run_goes_on(rosetta: Any, tmp_path: Path, data_folder: Path | None) -> None:
    folder = copied("interrupted", tmp_path)
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    here = {"affinity": sorted(os.sched_getaffinity(0)), "data": str(data_folder) if data_folder else None}
    (folder / "plan.json").write_text(json.dumps(plan | here), "utf-8")
    kept = (folder / "events.jsonl").read_bytes()
    measured = json.loads((folder / "result.json").read_text("utf-8"))
    done = rosetta("run", "--resume", folder, status=1)
    assert "Not all contenders finished" in done.stderr
    events = (folder / "events.jsonl").read_bytes()
    assert events.startswith(kept)
    assert events.count(b'"event":"proof",') == 5, "what doesn't say what it is a proof of is proven again"
    result = json.loads((folder / "result.json").read_text("utf-8"))
    assert not measured["complete"] and result["complete"]
    before, after = ({c["name"]: c for c in r["results"][0]["contenders"]} for r in (measured, result))
    assert [c["status"] for c in after.values()] == ["ok", "ok", "failed"]
    for name in ("fake", "fake[slow]"):
        assert {(c["launch"], c["round"]) for c in after[name]["chunks"]} == {(0, 0), (0, 1), (1, 0), (1, 1)}
        assert len(after[name]["chunks"]) == 4
        assert after[name]["chunks"][: len(before[name]["chunks"])] == before[name]["chunks"]
        assert after[name]["equivalence"]["passed"] and before[name]["equivalence"]["passed"]


# Weights.


def tensors(file: Path) -> dict[str, dict[str, Any]]:
    """Return the type, shape and digest of each tensor in a ``.safetensors`` file."""
    content = file.read_bytes()
    size = int.from_bytes(content[:8], "little")
    found, values = json.loads(content[8 : 8 + size]), content[8 + size :]
    return {
        name: {
            "dtype": tensor["dtype"],
            "shape": tensor["shape"],
            "sha256": hashlib.sha256(values[slice(*tensor["data_offsets"])]).hexdigest(),
        }
        for name, tensor in found.items()
        if name != "__metadata__"
    }


@pytest.mark.parametrize("contender", [(), ("--with", "numpy")], ids=["the one that trained", "another"])
def test_old_weights_predict_the_same(contender: tuple[str, ...], rosetta: Any) -> None:
    kept = json.loads((SAMPLES / "weights" / "babi-predictions.json").read_text("utf-8"))
    said = json.loads(rosetta("predict", WEIGHTS, *(row["sample"] for row in kept), "--top", "18", *contender).stdout)
    assert [row["sample"] for row in said] == [row["sample"] for row in kept]
    for now, then in zip(said, kept, strict=True):
        assert now["classes"] == pytest.approx(then["classes"], rel=1e-4)


def test_old_weights_become_the_same_files(rosetta: Any, tmp_path: Path) -> None:
    own, back = tmp_path / "own.safetensors", tmp_path / "back.safetensors"
    said = rosetta("convert", WEIGHTS, "--to", "torch", "--out", own).stdout
    assert f"load_file('{own}')" in said
    assert tensors(own) == json.loads((SAMPLES / "weights" / "babi-torch.json").read_text("utf-8"))
    # And so it stands for the file that was kept then.
    rosetta("convert", own, "--from", "torch", "--workload", WORKLOAD, "--out", back)
    assert tensors(back) == tensors(WEIGHTS)


def test_a_training_goes_on_from_an_old_checkpoint(rosetta: Any, tmp_path: Path, real_data: Path) -> None:
    """All of the file is as it was kept but the optimiser's values, which are zero: no step is left to be done."""
    header = WEIGHTS.with_name("babi.safetensors.checkpoint.header").read_bytes()
    described = json.loads(header[8:])
    end = max(tensor["data_offsets"][1] for name, tensor in described.items() if name != "__metadata__")
    values = bytearray(end)
    content = WEIGHTS.read_bytes()
    size = int.from_bytes(content[:8], "little")
    for name, tensor in json.loads(content[8 : 8 + size]).items():
        if name != "__metadata__":
            first, last = tensor["data_offsets"]
            values[slice(*described[f"parameters/{name}"]["data_offsets"])] = content[8 + size :][first:last]
    file = tmp_path / "babi.safetensors"
    file.with_name("babi.safetensors.checkpoint").write_bytes(header + values)
    done = rosetta("train", WORKLOAD, "--with", "torch", "--epochs", "2", "--save", file)
    assert "Going on after epoch 2" in done.stderr
    assert tensors(file) == tensors(WEIGHTS)


# A framework of a user's own.


def test_an_old_framework_is_proven(rosetta: Any, tmp_path: Path) -> None:
    contenders = ("homemade[layers]", "homemade@2xcpu", "homemade[hasty]")
    rosetta(
        *("verify", "mnist_mlp", "--set", "mine", *(word for name in contenders for word in ("--with", name))),
        *("--frameworks", FRAMEWORKS, "--out", "run"),
        status=1,
    )
    result = json.loads((tmp_path / "run" / "result.json").read_text("utf-8"))
    found = {contender["name"]: contender for contender in result["results"][0]["contenders"]}
    assert {name: contender["status"] for name, contender in found.items()} == {
        "homemade": "ok",
        "homemade[half]": "ok",
        "homemade[layers]": "ok",
        "homemade@2xcpu": "ok",
        "homemade[hasty]": "not_equivalent",
    }
    for name, contender in found.items():
        half = "RMSprop has ε inside the root, and the rectifier is (x + |x|) / 2, whose gradient at 0 is ½"
        assert contender["equivalence"]["deviation"].startswith(half if name == "homemade[half]" else INSIDE_ROOT)
        assert contender["equivalence"]["deviation_size"] > 0.01, "held against the reference's variant"
        assert "Written by hand." in contender["note"]
    note = found["homemade[half]"]["note"]
    assert note.startswith(
        "With half a gradient at zero. Written by hand. Not proven of it: late state: its trainer has no"
    )
    assert "adds up the gradients of all through a socket" in found["homemade@2xcpu"]["note"]


@pytest.mark.long  # the reference of ResNet-50, and ResNet-50 in NumPy
def test_an_old_framework_only_predicts(rosetta: Any, tmp_path: Path) -> None:
    rosetta(
        *("run", "resnet50_features", "--with", "homemade[glance]", "--with", "homemade[half]"),
        *("--frameworks", FRAMEWORKS, "--preset", "smoke", "--launches", "1", "--rounds", "1", "--out", "run"),
        status=1,
    )
    result = json.loads((tmp_path / "run" / "result.json").read_text("utf-8"))
    predicting, unable = result["results"][0]["contenders"]
    assert predicting["status"] == "ok", predicting["reason"]
    assert predicting["samples_per_second"] > 0 and predicting["latency_seconds"] > 0
    assert unable["reason"].endswith("Nothing is trained there, so the gradient at 0 doesn't matter.")


def test_an_old_framework_trains_and_keeps_weights_in_its_own_form(rosetta: Any, tmp_path: Path) -> None:
    more = ("--frameworks", FRAMEWORKS)
    rosetta("train", "mnist_mlp", "--with", "homemade", "--epochs", "1", "--save", "w.safetensors", *more)
    said = rosetta("convert", "w.safetensors", "--to", "homemade", "--out", "own.safetensors", *more).stdout
    assert "weights = load_file('own.safetensors')  # of mnist_mlp, input × output" in said
    assert tensors(tmp_path / "own.safetensors")["dense1.weight"]["shape"] == [784, 512]
    back = ("--workload", "mnist_mlp", "--out", "b.safetensors", *more)
    rosetta("convert", "own.safetensors", "--from", "homemade", *back)
    assert tensors(tmp_path / "b.safetensors") == tensors(tmp_path / "w.safetensors")


def test_an_old_framework_is_shown(rosetta: Any) -> None:
    more = ("--frameworks", FRAMEWORKS)
    assert "class Rectifier:" in rosetta("show", "mnist_mlp", "--in", "homemade[layers]", *more).stdout
    unable = rosetta("show", "babi_rnn", "--in", "homemade", *more, status=2)
    assert "There are no recurrent layers." in unable.stderr
