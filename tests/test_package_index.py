"""pip's settings: read as pip lists them, and handed on to uv."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from rosetta.environments import package_index
from rosetta.environments.package_index import pip_settings
from rosetta.errors import RosettaError


def settings_of(monkeypatch: pytest.MonkeyPatch, listing: str) -> dict[str, list[str]]:
    def answer(command: list[str], **options: object) -> SimpleNamespace:
        assert command[:3] == [sys.executable, "-m", "pip"]
        return SimpleNamespace(stdout=listing, stderr="", returncode=0)

    monkeypatch.setattr(subprocess, "run", answer)
    pip_settings.cache_clear()
    try:
        return pip_settings()
    finally:
        monkeypatch.undo()
        pip_settings.cache_clear()


def test_pips_settings_are_read_from_every_place(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = "\n".join(
        [
            ":env:.find_links='/wheels'",
            "global.index-url='https://mirror.example/simple'",
            "global.extra-index-url='https://a.example/simple https://b.example/simple'",
            "global.find-links='/wheels\\n/more wheels-not-this'",
            "install.trusted-host='mirror.example'",
            "install.no-index='true'",
            "download.cert='/ignored'",
            "global.proxy=''",
        ]
    )
    assert settings_of(monkeypatch, listing) == {
        "find-links": ["/wheels", "/more", "wheels-not-this"],
        "index-url": ["https://mirror.example/simple"],
        "extra-index-url": ["https://a.example/simple", "https://b.example/simple"],
        "trusted-host": ["mirror.example"],
        "no-index": ["true"],
        "proxy": [],
    }


def test_pip_without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_of(monkeypatch, "") == {}


def test_pips_own_listing_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the real pip, so that a change in its listing shows."""
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://mirror.example/simple\n"
        "extra-index-url =\n    https://a.example/simple\n    https://b.example/it's\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    pip_settings.cache_clear()
    try:
        found = pip_settings()
    finally:
        pip_settings.cache_clear()
    assert "https://mirror.example/simple" in found["index-url"]
    assert found["extra-index-url"][-2:] == ["https://a.example/simple", "https://b.example/it's"]
    assert found["no-index"] == ["1"]


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({}, []),
        ({"index-url": ["https://old", "https://new"]}, ["--default-index", "https://new"]),
        (
            {"extra-index-url": ["https://a", "https://b"]},
            ["--extra-index-url", "https://a", "--extra-index-url", "https://b"],
        ),
        ({"find-links": ["/w"]}, ["--find-links", "/w"]),
        ({"trusted-host": ["h"]}, ["--allow-insecure-host", "h"]),
        ({"no-index": ["true"]}, ["--no-index"]),
        ({"no-index": ["1", "no"]}, []),
    ],
)
def test_pips_settings_become_uvs_options(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, list[str]], options: list[str]
) -> None:
    monkeypatch.setattr(package_index, "pip_settings", lambda: settings)
    monkeypatch.setattr(package_index, "uv_index", lambda: "")
    assert package_index.uv_options() == [*options, "--index-strategy", "unsafe-best-match"]


@pytest.fixture
def without_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of the test's own and a Python that has no pip, as in a virtual environment that uv made."""

    def no_pip(command: list[str], **options: object) -> SimpleNamespace:
        assert command[:3] == [sys.executable, "-m", "pip"]
        return SimpleNamespace(stdout="", stderr="No module named pip", returncode=1)

    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "system"))
    monkeypatch.setattr(package_index, "_SYSTEM", tmp_path / "etc")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    monkeypatch.setattr(subprocess, "run", no_pip)
    pip_settings.cache_clear()
    yield tmp_path
    pip_settings.cache_clear()


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_without_pip_its_files_are_read_as_it_would_read_them(
    without_pip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(without_pip / "system" / "pip" / "pip.conf", "[global]\nindex-url = https://system.example\ncert = /c\n")
    write(without_pip / ".config" / "pip" / "pip.conf", "[global]\nindex_url = https://user.example\n[list]\na = x")
    write(without_pip / "environment" / "pip.conf", "[install]\nextra-index-url =\n    https://a\n    https://b/%20\n")
    found = pip_settings()
    assert (found["index-url"][-1], found["cert"]) == ("https://user.example", ["/c"])
    assert found["extra-index-url"] == ["https://a", "https://b/%20"]
    assert "a" not in found
    options = package_index.uv_options()
    assert options[:2] == ["--default-index", "https://user.example"]
    monkeypatch.setenv("PIP_INDEX_URL", "https://variable.example")
    pip_settings.cache_clear()
    assert pip_settings()["index-url"][-1] == "https://variable.example"
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)  # which means: no files at all
    pip_settings.cache_clear()
    assert pip_settings() == {"index-url": ["https://variable.example"]}


def test_settings_of_pip_that_cannot_be_read_are_named(without_pip: Path) -> None:
    write(without_pip / "environment" / "pip.conf", "index-url = https://x\n")
    with pytest.raises(RosettaError, match=r"environment/pip.conf can't be read: File contains no section headers"):
        pip_settings()


def test_an_environment_variable_is_stronger_than_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = ":env:.index-url='https://variable.example'\nglobal.index-url='https://file.example'"
    assert settings_of(monkeypatch, listing)["index-url"][-1] == "https://variable.example"


@pytest.mark.parametrize(
    "text",
    [
        'index-url = "https://own.example"',
        '[pip]\nindex-url = "https://own.example"',
        '[[index]]\nurl = "https://other.example"\n[[index]]\nurl = "https://own.example"\ndefault = true',
    ],
)
def test_uvs_own_index_is_left_to_uv(without_pip: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    write(without_pip / ".config" / "pip" / "pip.conf", "[global]\nindex-url = https://pip.example\n")
    write(without_pip / "system" / "uv" / "uv.toml", 'index-url = "https://system.example"')
    assert package_index.uv_index() == "https://system.example"
    write(without_pip / ".config" / "uv" / "uv.toml", text)
    assert package_index.uv_index() == "https://own.example"
    assert "--default-index" not in package_index.uv_options()
    monkeypatch.setenv("UV_DEFAULT_INDEX", "name=https://variable.example")
    assert package_index.uv_index() == "https://variable.example"


def test_without_an_index_the_remedy_needs_no_pip(without_pip: Path) -> None:
    with pytest.raises(RosettaError) as caught:
        package_index.fetch_source("tiny==1.0", without_pip)
    assert "PIP_INDEX_URL" in caught.value.remedy
    assert "pip config" not in caught.value.remedy


def test_a_folder_of_wheels_is_found_from_elsewhere(without_pip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "wheels file:///more")
    monkeypatch.chdir(without_pip)
    options = package_index.uv_options()
    assert options[:4] == ["--find-links", str(without_pip / "wheels"), "--find-links", "file:///more"]


def test_releases_are_those_of_all_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("1.10", "1.9", "2.0rc1", "2.0+cpu"):
        (tmp_path / f"demo-{name}-py3-none-any.whl").touch()
    (tmp_path / "demo-2.0.tar.gz").touch()
    (tmp_path / "other-3.0-py3-none-any.whl").touch()
    monkeypatch.setattr(package_index, "pip_settings", lambda: {"find-links": [str(tmp_path)], "no-index": ["1"]})
    monkeypatch.setattr(package_index, "uv_index", lambda: "https://unused.example/simple")
    found = {str(version): yanked for version, yanked in package_index.releases("demo").items()}
    assert list(found.items()) == [("1.9", False), ("1.10", False), ("2.0rc1", False), ("2.0", False)]
    with pytest.raises(RosettaError, match="No package index has nothing"):
        package_index.releases("nothing")
