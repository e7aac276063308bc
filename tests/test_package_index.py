"""pip's settings: read as pip lists them, and handed on to uv."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from rosetta.environments import package_index
from rosetta.environments.package_index import pip_settings


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
    assert package_index.uv_options() == [*options, "--index-strategy", "unsafe-best-match"]
