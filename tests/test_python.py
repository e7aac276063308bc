"""``import rosetta``: its names, plans that obey, results that show themselves, and a light command line."""

import ast
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from results_events import MACHINE, SESSION, chunk, data_event, environment, make_plan, proof

import rosetta
from rosetta.contenders import placement
from rosetta.contenders.contender import read_set
from rosetta.contenders.manifest import frameworks
from rosetta.record.plan import DEFAULT_WORKLOADS, Plan, read_plan
from rosetta.record.result import Result
from rosetta.report.exports import to_csv
from rosetta.workloads import workloads

HEAVY = {"numpy", "scipy", "plotly", "pydantic", "packaging", "psutil"}
COMPLETING = {"_ROSETTA_COMPLETE": "complete_bash", "COMP_WORDS": "rosetta r", "COMP_CWORD": "1"}


def machine_with(monkeypatch: pytest.MonkeyPatch, gpus: int) -> None:
    monkeypatch.setattr(placement, "present", lambda: {"cpu": 1, "cuda": gpus, "tpu": 0})


# ---------------------------------------------------------------- names


def test_every_name_is_there_and_type_checkers_see_the_same() -> None:
    tree = ast.parse(Path(rosetta.__file__).read_text("utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and "rosetta." in str(node.module)]
    assert {alias.name: node.module for node in imports for alias in node.names} == rosetta._HOMES | {
        "__version__": "rosetta.version"
    }
    assert sorted(rosetta.__all__) == sorted([*rosetta._HOMES, "__version__"])
    assert set(rosetta.__all__) <= set(dir(rosetta))
    for name in rosetta.__all__:
        assert getattr(rosetta, name)
    assert not hasattr(rosetta, "trian")
    assert Path(rosetta.__file__).with_name("py.typed").exists()


@pytest.mark.parametrize(
    ("words", "more", "said", "heavy"),
    [
        (["--version"], {}, "rosetta 0", HEAVY),
        (["--help"], {}, "calibrate", HEAVY),
        # Typer itself imports pydantic to complete.
        ([], COMPLETING, "report", HEAVY - {"pydantic"}),
    ],
)
def test_what_only_tells_the_way_imports_nothing_heavy(
    words: list[str], more: dict[str, str], said: str, heavy: set[str]
) -> None:
    program = f"""
import sys
sys.argv = ["rosetta", *{words}]
from rosetta.cli.app import main
try:
    main()
finally:
    print(*sorted({{name.partition(".")[0] for name in sys.modules}}), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=os.environ | more)
    assert done.returncode == 0 and said in done.stdout, done.stderr
    assert not heavy & set(done.stderr.split())


def test_the_package_is_the_command_line_too() -> None:
    done = subprocess.run([sys.executable, "-m", "rosetta", "--version"], capture_output=True, text=True)
    assert done.stdout == f"rosetta {rosetta.__version__}\n"


# ---------------------------------------------------------------- plans


def test_a_plan_places_its_contenders(monkeypatch: pytest.MonkeyPatch) -> None:
    machine_with(monkeypatch, gpus=2)
    assert Plan("mnist_mlp", ["torch", "jax@cpu"], device="cuda").contenders == ["torch@cuda", "jax"]
    assert Plan("mnist_mlp", ["torch", "lasagne"]).contenders == ["torch@cuda", "lasagne"]
    assert Plan("mnist_mlp", "torch", device="cpu").contenders == ["torch"]
    assert Plan("mnist_mlp", "torch", replicas=2).contenders == ["torch@2xcuda"]
    machine_with(monkeypatch, gpus=0)
    assert Plan("mnist_mlp", "torch").contenders == ["torch"]


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "no GPU": (
        {"device": "cuda"},
        "torch@cuda: there is no NVIDIA GPU in this machine.",
        "--device cpu works anywhere.",
    ),
    "device": ({"device": "cdua"}, "There is no device 'cdua'.", "Did you mean cuda"),
    "workload": ({"workloads": "mnist_mpl"}, "There is no workload 'mnist_mpl'.", "Did you mean mnist_mlp"),
    "no workload": ({"workloads": []}, "names no workload", "leave them out"),
    "contender": ({"contenders": "torhc"}, "There is no framework 'torhc'.", "Did you mean torch?"),
    "variant": ({"contenders": "torch[compil]"}, "There is no variant of torch 'compil'.", "Did you mean compile?"),
    "no contender": ({"contenders": []}, "names no contender", "leave them out"),
    "twice": ({"contenders": ["torch", "torch@cpu"]}, "torch is named twice.", "rosetta calibrate WORKLOAD torch"),
    "set": ({"set": "curent"}, "There is no set 'curent'.", "Did you mean current?"),
    "preset": ({"preset": "quik"}, "There is no preset 'quik'.", "Did you mean quick?"),
    "kind": ({"kind": "verfy"}, "kind = 'verfy'", "'verify'"),
    "launches": ({"launches": 0}, "launches = 0", "greater than or equal to 1"),
    "replicas": ({"replicas": 7}, "a batch of 128 can't be shared equally by 7 replicas", "mnist_mlp can have 1, 2, 4"),
    "no replica": ({"replicas": 0}, "0 replicas", "One or more"),
    "calibration": ({"kind": "calibrate", "launches": 1}, "no interval", "2 launches"),
    "folder": ({"frameworks": "nowhere"}, "The frameworks folder nowhere doesn't exist.", "Give --frameworks"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_a_plan_can_not_have_is_said_with_the_remedy(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine_with(monkeypatch, gpus=0)
    fields, cause, remedy = BAD[what]
    with pytest.raises(rosetta.RosettaError) as caught:
        Plan(**{"workloads": "mnist_mlp", "contenders": "torch", **fields})
    assert cause in str(caught.value) and remedy in str(caught.value)


def test_sets_and_defaults_are_those_of_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine_with(monkeypatch, gpus=0)
    known = frameworks()
    assert Plan().workloads == list(DEFAULT_WORKLOADS)
    assert Plan().contenders == read_set("current", known)
    assert Plan("all", "numpy").workloads == list(workloads())
    assert Plan("mnist_mlp", ["numpy", "torch"], set="current").contenders == [
        *(name for name in read_set("current", known) if name != "torch"), "numpy", "torch",
    ]  # fmt: skip
    file = tmp_path / "mine.txt"
    file.write_text("numpy\ntorch[compile]  # ours\n")
    assert Plan("mnist_mlp", set=str(file)).contenders == ["numpy", "torch[compile]"]
    assert Plan("mnist_mlp", "numpy").launches == 4 and Plan("all", "numpy").launches == 3
    verify = Plan("mnist_mlp", "numpy", kind="verify")
    assert (verify.preset, verify.launches, verify.rounds, verify.test_samples) == ("smoke", 1, 1, 0)
    calibrate = Plan("mnist_mlp", "numpy", kind="calibrate", comparisons=3)
    assert (calibrate.launches, calibrate.comparison_launches, calibrate.rounds) == (18, 6, 12)
    monkeypatch.setenv("ROSETTA_DATA", str(tmp_path))
    assert Plan("mnist_mlp", "numpy").data == str(tmp_path)


def test_the_calls_have_the_plans_parameters() -> None:
    plan = inspect.signature(Plan).parameters
    own = {"folder", "resume", "observer", "workload", "contender", "plant"}
    for call in (rosetta.run, rosetta.verify, rosetta.calibrate):
        for name, parameter in inspect.signature(call).parameters.items():
            if name not in own:
                assert parameter.default == plan[name].default, f"{call.__name__}: {name}"


def test_a_plan_and_its_parts_are_not_given_together(tmp_path: Path) -> None:
    plan = Plan("mnist_mlp", "numpy")
    with pytest.raises(rosetta.RosettaError, match="preset, seed can't be given"):
        rosetta.run(plan, preset="smoke", seed=2, folder=tmp_path / "run")
    with pytest.raises(rosetta.RosettaError, match="workloads, folder can't be given"):
        rosetta.run("mnist_mlp", resume=tmp_path, folder=tmp_path / "run")
    with pytest.raises(rosetta.RosettaError, match="isn't a run"):
        rosetta.run(resume=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_call_takes_names_and_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(rosetta.RosettaError, match="Did you mean mnist_mlp"):
        rosetta.train("mnist_mpl", "torch")
    with pytest.raises(rosetta.RosettaError, match="Did you mean torch"):
        rosetta.train("mnist_mlp", "torhc")
    with pytest.raises(rosetta.RosettaError, match="can't be shared equally by 3 replicas"):
        rosetta.train("mnist_mlp", "torch", replicas=3, device="cpu")
    with pytest.raises(rosetta.RosettaError, match="There is no file"):
        rosetta.predict(tmp_path / "none.safetensors", "seven.png")
    with pytest.raises(rosetta.RosettaError, match="There is no file"):
        rosetta.convert(str(tmp_path / "none.safetensors"), to="onnx")
    with pytest.raises(rosetta.RosettaError, match="Give either"):
        rosetta.convert("w.safetensors")


# ---------------------------------------------------------------- results

OLD_PLAN = {
    "schema": "rosetta-plan/1",
    "kind": "run",
    "rosetta_version": "0.1.0",
    "workloads": ["mnist_mlp"],
    "contenders": ["torch@cuda", "jax"],
    "preset": "quick",
    "launches": 1,
    "rounds": 1,
    "test_samples": 256,
    "device": "cpu",
    "data": None,
    "frameworks": [],
    "affinity": [0, 1],
}


def events(*labels: str) -> list[dict[str, Any]]:
    made = [SESSION, MACHINE, data_event()]
    for label in labels:
        made += [environment(label), proof(label), chunk(label, 0, 0, 1.0)]
    return [*made, {"event": "launch", "launch": 0}]


def written(folder: Path, plan: str, *labels: str) -> Path:
    folder.mkdir()
    (folder / "plan.json").write_text(plan)
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events(*labels)))
    return folder


def test_a_run_of_a_machine_with_a_gpu_is_read_on_one_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine_with(monkeypatch, gpus=0)
    folder = written(tmp_path / "run", json.dumps(OLD_PLAN), "torch@cuda", "jax")
    plan = read_plan(folder / "plan.json")
    assert plan.contenders == ["torch@cuda", "jax"] and plan.device == "cpu"
    plan.write(tmp_path / "again.json")
    assert read_plan(tmp_path / "again.json") == plan
    assert {c.name for c in rosetta.read_result(str(folder)).results[0].contenders} == {"torch@cuda", "jax"}
    done = subprocess.run([sys.executable, "-m", "rosetta", "report", folder], capture_output=True, text=True)
    assert done.returncode == 0 and "torch@cuda" in done.stdout, done.stderr
    assert Result.model_validate_json((folder / "result.json").read_text()).results[0].workload == "mnist_mlp"


def test_a_plan_that_was_made_is_read_back_the_same(tmp_path: Path) -> None:
    plan = Plan("mnist_mlp", ["numpy", "torch@2xcpu"], preset="full", seed=7, weak=True)
    plan.write(tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == plan


def test_a_result_shows_itself_as_its_table(tmp_path: Path) -> None:
    plan = make_plan(["torch", "jax"], launches=1, rounds=1).model_dump_json(by_alias=True)
    result = rosetta.read_result(written(tmp_path / "run", plan, "torch", "<b>jax</b>"))
    for text in (repr(result), str(result)):
        assert "ratio to the fastest" in text and "torch" in text and "<b>jax</b>" in text
    html = result._repr_html_()
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    header, *cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
    assert header[0] == "contender" and any("samples/s" in name for name in header)
    assert sorted(row[0] for row in cells) == ["&lt;b&gt;jax&lt;/b&gt;", "torch"] and "<b>" not in html
    assert "This run is not complete" in html
    assert (result.folder, result.page) == (tmp_path / "run", tmp_path / "run" / "report.html")


@pytest.mark.parametrize(("kind", "said"), [("verify", "relative L2 error"), ("calibrate", "difference seen")])
def test_each_kind_of_run_has_its_own_table(kind: str, said: str, tmp_path: Path) -> None:
    plan = make_plan(["torch"], launches=1, rounds=1, kind=kind).model_dump_json(by_alias=True)
    labels = ["torch (A)", "torch (A′)"] if kind == "calibrate" else ["torch"]
    result = rosetta.read_result(written(tmp_path / "run", plan, *labels))
    assert said in repr(result) and said in result._repr_html_()
    assert len(result.comparisons) == (1 if kind == "calibrate" else 0)


def test_a_frame_has_the_rows_of_the_csv_export(tmp_path: Path) -> None:
    plan = make_plan(["torch", "jax"], launches=1, rounds=1).model_dump_json(by_alias=True)
    result = rosetta.read_result(written(tmp_path / "run", plan, "torch", "jax"))
    frame = result.to_frame()
    header, *lines = to_csv(result).splitlines()
    assert list(frame.columns) == header.split(",") and len(frame) == len(lines) == 2
    assert set(frame["contender"]) == {"torch", "jax"} and frame["samples_per_second"].dtype == "float64"


def test_without_pandas_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(["torch"], launches=1, rounds=1).model_dump_json(by_alias=True)
    result = rosetta.read_result(written(tmp_path / "run", plan, "torch"))
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(rosetta.RosettaError, match="pip install pandas"):
        result.to_frame()
