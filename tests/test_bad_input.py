"""What a user can get wrong: each is one message with its cause and remedy, exit code 2, and nothing is touched."""

import gzip
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rosetta.cli import app as cli
from rosetta.record.directory import create
from rosetta.record.plan import Plan

FAKE_FRAMEWORKS = Path(__file__).parent / "frameworks"
FAKE = FAKE_FRAMEWORKS / "fake"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Work in an empty folder, where default paths such as runs/ lead."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def rosetta(capsys, monkeypatch):
    """Run a command line; return its exit code and what it wrote, errors as one line."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["rosetta", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return end.value.code, said.out, said.err

    return run


def files_below(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


UNKNOWN_NAMES = {
    "run mnist_mpl": ("There is no workload 'mnist_mpl'.", "Did you mean mnist_mlp"),
    "verify cifar_cnn": ("There is no workload 'cifar_cnn'.", "Did you mean cifar10_cnn"),
    "run zzz": ("There is no workload 'zzz'.", "Known: babi_rnn, cifar10_cnn, "),
    "run --with torhc": ("There is no framework 'torhc'.", "Did you mean torch?"),
    "run --with torch[compil]": ("There is no variant of torch 'compil'.", "Did you mean compile?"),
    "run --with keras": ("'keras' must name exactly one", "Write keras[torch] or keras[jax] or keras[tensorflow]."),
    "run --with keras[jax,torch]": ("'keras[jax,torch]' must name exactly one", "Write keras[torch] or keras[jax]"),
    "run --with torch==banana": ("'banana' isn't a version, in 'torch==banana'.", "torch==2.13.0"),
    "run --with torch==": ("'torch==' isn't a contender.", "Write it like a requirement: torch, torch[compile]"),
    "run --with torch[compile": ("'torch[compile' isn't a contender.", "Write it like a requirement"),
    "run --with torch>=2": ("'torch>=2' isn't a contender.", "Write it like a requirement"),
    "run --with torch --with torch": ("torch is named twice.", "rosetta calibrate WORKLOAD torch"),
    "run --preset quik": ("There is no preset 'quik'.", "Did you mean quick?"),
    "calibrate mnist_mlp torhc": ("There is no framework 'torhc'.", "Did you mean torch?"),
    "show mnist_mpl": ("There is no workload 'mnist_mpl'.", "Did you mean mnist_mlp"),
    "show mnist_mlp --in trch": ("There is no framework 'trch'.", "Did you mean torch?"),
    "list workload": ("There is no list 'workload'.", "Did you mean workloads?"),
    "env remove torch-0": ("There is no environment 'torch-0'.", "rosetta env list shows them."),
    "run --frameworks nowhere": ("The frameworks folder nowhere doesn't exist.", "Give --frameworks a folder."),
    "run --resume nowhere": ("nowhere isn't a run: it has no plan.json.", "rosetta list runs shows them."),
    "report nowhere": ("nowhere isn't a run: it has no plan.json.", "rosetta list runs shows them."),
    "compare nowhere nowhere": ("nowhere isn't a run: it has no plan.json.", "rosetta list runs shows them."),
}


@pytest.mark.parametrize("line", UNKNOWN_NAMES)
def test_unknown_names(rosetta, tmp_path, line):
    code, out, err = rosetta(*line.split())
    cause, remedy = UNKNOWN_NAMES[line]
    assert code == 2
    assert err.startswith("error: ") and out == ""
    assert cause in err and remedy in err
    assert not files_below(tmp_path), "something was made although nothing could be done"


@pytest.mark.parametrize(
    "line", ["run --launches 0", "run --rounds -1", "run --launches two", "run --lunches 2", "rnu"]
)
def test_usage(rosetta, tmp_path, line):
    code, _, err = rosetta(*line.split())
    assert code == 2
    assert "--launches" in err or "--rounds" in err or "run" in err
    assert not files_below(tmp_path)


def test_installed_command_ends_alike():
    script = Path(sys.executable).parent / "rosetta"
    done = subprocess.run([script, "run", "mnist_mpl"], capture_output=True, text=True)
    assert done.returncode == 2
    assert (
        done.stderr == "error: There is no workload 'mnist_mpl'.\nDid you mean mnist_mlp or mnist_cnn or mnist_hrnn?\n"
    )
    assert done.stdout == ""


# Directories that aren't runs.


def fake_run(folder, frameworks=FAKE_FRAMEWORKS):
    plan = Plan(
        workloads=["mnist_mlp"], contenders=["fake"], preset="smoke", launches=1, rounds=1, test_samples=0,
        frameworks=str(frameworks),
    )  # fmt: skip
    create(plan, folder)
    return folder


@pytest.mark.parametrize("command", ["run --resume", "report"])
def test_directory_that_is_not_a_run(rosetta, tmp_path, command):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "cat.jpg").write_bytes(b"a cat")
    before = files_below(tmp_path)
    for path in (folder, folder / "cat.jpg"):
        code, _, err = rosetta(*command.split(), path)
        assert code == 2
        assert f"{path} isn't a run: it has no plan.json." in err
        assert "rosetta list runs shows them." in err
    assert files_below(tmp_path) == before


@pytest.mark.parametrize("plan", ["", "{", "[]", "{}", '{"schema": "rosetta-plan/9"}'])
def test_plan_that_is_not_one(rosetta, tmp_path, plan):
    folder = fake_run(tmp_path / "run")
    (folder / "plan.json").write_text(plan)
    before = files_below(tmp_path)
    code, _, err = rosetta("run", "--resume", folder)
    assert code == 2
    assert f"{folder / 'plan.json'} isn't a plan of this version of Rosetta" in err
    assert files_below(tmp_path) == before


def test_run_that_has_not_begun_has_no_report(rosetta, tmp_path):
    folder = fake_run(tmp_path / "run")
    code, _, err = rosetta("report", folder)
    assert code == 2
    assert "has no events.jsonl" in err or "has no results yet" in err
    assert f"rosetta run --resume {folder}" in err


@pytest.mark.parametrize("line", ["not an event", "[1]", '{"workload": "mnist_mlp"}', "\0\0\0\0", '"event"'])
def test_events_changed_by_hand_are_named(rosetta, tmp_path, line):
    folder = fake_run(tmp_path / "run")
    (folder / "events.jsonl").write_text('{"event":"session","time":"2026-01-01T00:00:00","pid":1}\n' + line + "\n")
    before = files_below(folder)
    code, _, err = rosetta("report", folder)
    assert code == 2
    assert "has no results yet. In events.jsonl, line 2: it isn't an event of a run, and so it was left out." in err
    assert files_below(folder) == before


def test_out_that_is_taken(rosetta, tmp_path):
    folder, file = tmp_path / "photos", tmp_path / "cat.jpg"
    folder.mkdir()
    (folder / "cat.jpg").write_bytes(b"a cat")
    file.write_bytes(b"a cat")
    before = files_below(tmp_path)
    words = ["run", "mnist_mlp", "--frameworks", FAKE_FRAMEWORKS, "--with", "fake", "--out"]
    for path, cause in (
        (folder, "exists and isn't empty"),
        (file, "exists and isn't a directory"),
        (file / "run", "can't be written"),
    ):
        code, _, err = rosetta(*words, path)
        assert code == 2
        assert f"error: {path} {cause}" in err
        assert err.endswith("ame another.\n")
        assert "--resume" not in err, "there is no run to go on with"
    assert files_below(tmp_path) == before


def test_resumed_run_whose_frameworks_have_gone(rosetta, tmp_path):
    shutil.copytree(FAKE_FRAMEWORKS, tmp_path / "mine")
    fake_run(tmp_path / "run", tmp_path / "mine")
    shutil.rmtree(tmp_path / "mine")
    code, _, err = rosetta("run", "--resume", "run")
    assert code == 2
    assert f"The frameworks folder {tmp_path / 'mine'} doesn't exist." in err


# Framework folders of the user's own.

BAD_MANIFESTS = {
    "name = ": "isn't valid TOML",
    'name = "mine"': "title: Field required",
    None: "packages: Field required",
    "\0": "isn't valid TOML",
}


@pytest.mark.parametrize("text", BAD_MANIFESTS)
def test_bad_manifest(rosetta, tmp_path, text):
    manifest = tmp_path / "mine" / "framework.toml"
    shutil.copytree(FAKE, manifest.parent)
    whole = manifest.read_text()
    manifest.write_text(whole.replace("[packages]", "[variants.x.packages]") if text is None else text)
    code, _, err = rosetta("run", "--frameworks", manifest.parent, "--with", "fake")
    assert code == 2
    assert err.startswith(f"error: {manifest}") and BAD_MANIFESTS[text] in err


def test_framework_without_the_workload(rosetta, tmp_path):
    code, out, err = rosetta(
        *("run", "cifar10_cnn", "--frameworks", FAKE_FRAMEWORKS, "--with", "fake", "--out", tmp_path / "run"),
        *("--launches", "1", "--rounds", "1"),
    )
    assert code == 1
    assert "Fake has no implementation of cifar10_cnn." in err + out
    code, _, err = rosetta("show", "cifar10_cnn", "--frameworks", FAKE_FRAMEWORKS, "--in", "fake")
    assert code == 2
    assert "error: Fake has no implementation of cifar10_cnn." in err


# Data.


def half_there(folder):
    (folder / "train-images-idx3-ubyte.gz").write_bytes(b"")
    return "train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz missing"


def damaged(folder):
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (folder / f"{name}-ubyte.gz").write_bytes(gzip.compress(b"not digits"))
    return "train-images-idx3-ubyte.gz"


def empty(folder):
    return "There is no MNIST in"


@pytest.mark.parametrize("damage", [half_there, damaged, empty])
def test_bad_data(rosetta, tmp_path, damage):
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    cause = damage(folder)
    words = ["verify", "mnist_mlp", "--frameworks", FAKE_FRAMEWORKS, "--with", "fake", "--data", tmp_path / "data"]
    code, out, err = rosetta(*words, "--out", "run")
    assert code == 2
    assert cause in err.partition("error: ")[2]
    assert len(err.partition("error: ")[2].splitlines()) >= 2, "there is no remedy"
    assert out == ""


def test_data_folder_that_does_not_exist(rosetta, tmp_path):
    words = ["verify", "mnist_mlp", "--frameworks", FAKE_FRAMEWORKS, "--with", "fake", "--data", "nowhere"]
    code, _, err = rosetta(*words)
    assert code == 2
    assert f"error: The data folder {tmp_path / 'nowhere'} does not exist." in err


# Contenders that can't be compared, and files that can't be written.


@pytest.mark.parametrize("contender", ["fake[early,raises]", "fake[raises]", "fake==99.0"])
def test_calibrating_what_does_not_run(rosetta, contender):
    code, _, err = rosetta(
        *("calibrate", "mnist_mlp", contender, "--frameworks", FAKE_FRAMEWORKS, "--launches", "2", "--rounds", "2"),
    )
    assert code == 1
    assert "Not all contenders finished" in err
    assert "planted" in err or "no version of numpy==99.0" in err


def test_export_that_can_not_be_written(rosetta, tmp_path):
    """That is said before the run, which takes hours, not after it."""
    folder = tmp_path / "run"
    words = ["run", "mnist_mlp", "--frameworks", FAKE_FRAMEWORKS, "--with", "fake", "--launches", "1", "--rounds", "1"]
    code, _, err = rosetta(*words, "--out", folder, "--json", "nowhere/result.json")
    assert code == 2
    assert "error: nowhere can't be written: No such file or directory." in err
    assert not files_below(tmp_path)
    code, _, err = rosetta("report", folder, "--csv", tmp_path)
    assert code == 2
    assert f"error: {tmp_path} can't be written: Is a directory.\nIt is a folder: name a file." in err
