"""Every relative link in the documents leads to a file that is there, and to a heading in it where it names one."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md"))
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!\w+:)([^)\s#]*)(?:#([^)\s]+))?\)")


def headings(text: str) -> set[str]:
    """Return a document's headings as GitHub writes them in links."""
    without_blocks = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ +(.+?) *$", without_blocks, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def broken(document: Path, text: str) -> list[str]:
    """Return the links in a document's text that lead nowhere."""
    found = []
    for path, heading in LINK.findall(CODE.sub("", text)):
        target = (document.parent / path).resolve() if path else document
        there = target.exists() and target.is_relative_to(ROOT)
        if not there or (heading and heading not in headings(target.read_text("utf-8"))):
            found.append(f"{path}#{heading}" if heading else path)
    return found


@pytest.mark.parametrize("document", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in DOCUMENTS])
def test_its_links_lead_somewhere(document: Path) -> None:
    assert not broken(document, document.read_text("utf-8"))


def test_a_broken_link_is_seen() -> None:
    text = "[a](docs/proof.md#deviations) [b](docs/none.md) [c](docs/proof.md#none) [d](https://numpy.org) `[e](none)`"
    assert broken(ROOT / "README.md", text) == ["docs/none.md", "docs/proof.md#none"]


def test_the_index_has_every_document() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    missing = [path.name for path in (ROOT / "docs").glob("*.md") if f"({path.name})" not in index]
    assert missing == ["README.md"]
