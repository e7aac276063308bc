"""Reads the Python files in the folder of a network of one's own as text: nothing of them is run."""

import ast
import hashlib
from collections.abc import Container
from pathlib import Path

from rosetta.errors import RosettaError, storage_error
from rosetta.files import LARGEST_TEXT, files_below, read_regular
from rosetta.networks.folder import MANIFEST
from rosetta.networks.notation import OwnNetwork

_MOST_FILES = 1_000


def names_in(network: OwnNetwork) -> set[str]:
    """Return the names that a network's file binds at its top level, read as text: nothing of it is run."""
    assert network.file is not None
    try:
        tree = ast.parse(read_regular(network.file, LARGEST_TEXT, follow=True))
    except OSError as error:
        raise storage_error(error, network.file, "read") from error
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise RosettaError(f"{network.file} isn't Python: {getattr(error, 'msg', error)}.") from error
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found


def imported_neighbours(text: str, folder: Path, frameworks: Container[str]) -> list[str]:
    """Return the modules in a folder that a file there imports at its top level, its text given; not what these do.

    What has a framework's name is the framework.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return []
    names = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and not node.level:
            names.append(node.module or "")
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    inside = folder.resolve()
    files = {
        name: (folder / f"{name}.py").resolve() for name in names if name.isidentifier() and name not in frameworks
    }
    return [name for name, file in files.items() if file.is_relative_to(inside) and file.is_file()]


def code_digest(folder: Path) -> str:
    """Return a digest of all code in a folder, and of its ``network.toml``."""
    digest = hashlib.sha256()
    for file in sorted(
        file for file in files_below(folder, _MOST_FILES) if file.suffix == ".py" or file.name == MANIFEST
    ):
        digest.update(f"{file.relative_to(folder)}\n".encode())
        digest.update(read_regular(file, LARGEST_TEXT, follow=True))
    return digest.hexdigest()[:16]
