"""A site: every readable run is on it, links lead to pages that are there, what others wrote is escaped."""

import json
import re
import shutil
from pathlib import Path

import pytest
from test_history import EVIL, events_of, make_run, rosetta

from rosetta.errors import RosettaError
from rosetta.report.run_result import read_result
from rosetta.report.site import write_site

RECORDS = Path(__file__).parent / "samples" / "records"


def test_runs_of_many_kinds_make_a_site(tmp_path: Path) -> None:
    folder, out = tmp_path / "runs", tmp_path / "site"
    for name in ("finished", "verified", "calibrated"):
        shutil.copytree(RECORDS / name, folder / name)
    make_run(folder / "evil", events_of("torch", cpu=EVIL, version='"><img src=x>'))
    result = read_result(make_run(tmp_path / "elsewhere", events_of("torch", cpu="my machine")))
    (folder / "mine.json").write_text(result.model_dump_json(by_alias=True).replace("elsewhere", "../../escape"))
    (folder / "damaged.json").write_text(json.dumps({"schema": "rosetta-result/1"}))
    (folder / "notes.txt").write_text("not a run")
    site = write_site(folder, out)
    assert [place.name for place in site.runs] == ["evil", "finished", "mine.json", "verified"]
    assert {place.name for place in site.refused} == {"calibrated", "damaged.json"}
    index = site.index.read_text("utf-8")
    links = set(re.findall(r'href="(runs/[^"#]+)#(workload-\d+)"', index))
    assert len({page for page, _ in links}) == 4
    for page, anchor in links:
        assert f'id="{anchor}"' in (out / page).read_text("utf-8")
    assert sorted(path.name for path in (out / "runs").iterdir())[2] == "0002-..-..-escape.html"
    assert "<script>alert" not in index and "<img src=x" not in index and "\x1b" not in index
    assert 'data-machine="my machine, 2 cores"' in index and '<option value="torch">' in index


def test_a_site_is_made_anew_and_nothing_else_is_overwritten(tmp_path: Path) -> None:
    folder, out = tmp_path / "runs", tmp_path / "site"
    first = make_run(folder / "first", events_of("torch"))
    make_run(folder / "second", events_of("torch", second=1))
    write_site(folder, out)
    shutil.rmtree(first)
    (out / "runs" / "mine.txt").write_text("kept")
    code, said = rosetta("site", folder, "--out", out)
    assert code == 0 and "1 runs" in said
    assert sorted(path.name for path in (out / "runs").iterdir()) == ["0000-second.html", "mine.txt"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(RosettaError, match="isn't empty"):
        write_site(folder, other)
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]
    with pytest.raises(RosettaError, match="no run that could be shown"):
        write_site(tmp_path / "other", tmp_path / "new")
