"""A side's text: a framework's folder copied, with the few lines changed in which the side differs."""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rosetta.contenders.manifest import Framework
from rosetta.errors import RosettaError
from rosetta.files import LARGEST_TEXT, read_regular

_NAME = re.compile(r'^name = ".*"$', re.MULTILINE)
_SETS = re.compile(r"^\[sets\]\n(?:(?!\[).*\n)*", re.MULTILINE)


@dataclass(frozen=True)
class Edit:
    """One change of a text in a framework's folder."""

    file: str
    """In the folder: ``cifar10_cnn.py``, ``trainer.py``, ``framework.toml``."""
    old: str
    """Is there exactly once."""
    new: str


def edited_name(framework: str, name: str) -> str:
    """Return what a framework's copy with the edits of a side of that name is called: ``torch-relu_first``."""
    return f"{framework}-{name}"


def edited_texts(framework: Framework, name: str, edits: tuple[Edit, ...]) -> Mapping[str, str]:
    """Return the changed files' whole texts by name, the manifest's among them, for the copy has another name.

    Raises ``RosettaError`` where a text to replace isn't there exactly once: the implementation has changed since.
    """
    texts: dict[str, str] = {}
    for edit in (*edits, None):
        file = edit.file if edit else "framework.toml"
        text = texts.get(file) or _text(framework, file)
        if edit is None:
            own = f'name = "{edited_name(framework.name, name)}"\ncopy_of = "{framework.name}"'
            renamed, count = _NAME.subn(own, text, count=1)
            if not count:
                raise RosettaError(f"{framework.folder / file} has no line that begins with name =.")
            texts[file] = _SETS.sub("", renamed)
            continue
        found = text.count(edit.old)
        if found != 1:
            raise RosettaError(
                f"The edit '{name}' of {framework.name} can't be made: in {file} the text to replace is there "
                f"{found} times, not once.",
                "The implementation has changed: change the lesson too.",
            )
        texts[file] = text.replace(edit.old, edit.new)
    return texts


def edited_copy(framework: Framework, name: str, edits: tuple[Edit, ...], cache: Path) -> Path:
    """Return a folder below ``cache`` in which the edited copy of a framework's folder lies, made unless it is there.

    It is called by its content, so that what a run was begun with stays as it was.
    """
    texts = edited_texts(framework, name, edits)
    digest = hashlib.sha256()
    for path in sorted(framework.folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            relative = str(path.relative_to(framework.folder))
            content = texts[relative].encode() if relative in texts else path.read_bytes()
            digest.update(f"{relative}\0{len(content)}\0".encode() + content)
    root = cache / digest.hexdigest()[:24]
    if root.is_dir():
        return root
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".new-") as temporary:
        copy = Path(temporary) / "made" / edited_name(framework.name, name)
        shutil.copytree(framework.folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
        for file, text in texts.items():
            (copy / file).write_text(text, "utf-8")
        try:
            copy.parent.rename(root)
        except OSError:
            if not root.is_dir():  # else another process was quicker, with the same content
                raise
    return root


def _text(framework: Framework, file: str) -> str:
    path = framework.folder / file
    try:
        return read_regular(path, LARGEST_TEXT, follow=True).decode("utf-8")
    except (OSError, ValueError) as error:
        raise RosettaError(f"{path} can't be read: {error}.", "The lesson edits it.") from error
