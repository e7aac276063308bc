"""The picture of imports: rooms on floors, no arrow that climbs, two worlds of which one doesn't know the other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src"
HOST, WORKER = SRC / "rosetta", SRC / "rosetta_worker"
# From the ground up. A room uses those of the floors below; two of one floor don't know each other.
FLOORS = (
    ("errors", "escapes", "files", "paths", "version"),
    ("machine", "datasets"),
    ("workloads",),
    ("contenders",),
    ("environments", "standalone", "lessons", "networks"),
    ("record",),
    ("proof", "history"),
    ("models", "report"),
    ("benchmark",),
    ("contract", ""),  # the empty name: rosetta/__init__.py, the public face
    ("cli",),
    ("__main__",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def imported(file: Path) -> Iterator[str]:
    """Yield the full name of everything a file imports, wherever in the file."""
    package = file.relative_to(SRC).parent.parts
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*start, *(node.module or "").split("."))).rstrip(".")
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room_of(file: Path) -> str:
    first = file.relative_to(HOST).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def rooms_used(file: Path) -> set[str]:
    names = [name.split(".") for name in imported(file)]
    used = {parts[1] if len(parts) > 1 else "" for parts in names if parts[0] == "rosetta"}
    return used - {room_of(file)}


HOST_FILES = sorted(HOST.rglob("*.py"))


def test_every_room_has_a_floor() -> None:
    assert {room_of(file) for file in HOST_FILES} == set(FLOOR)


@pytest.mark.parametrize("room", FLOOR)
def test_a_room_uses_those_below_it_only(room: str) -> None:
    climbing = [
        f"{file.relative_to(SRC)} imports rosetta.{used}"
        for file in HOST_FILES
        if room_of(file) == room
        for used in sorted(rooms_used(file))
        if FLOOR.get(used, FLOOR[""]) >= FLOOR[room]
    ]
    assert not climbing


def test_the_worker_never_imports_the_host() -> None:
    files = sorted(WORKER.rglob("*.py"))
    assert not [str(file) for file in files if any(name.split(".")[0] == "rosetta" for name in imported(file))]


def test_no_framework_imports_another() -> None:
    found = []
    for folder in sorted(path for path in (WORKER / "frameworks").iterdir() if path.is_dir()):
        for file in sorted(folder.rglob("*.py")):
            for name in imported(file):
                parts = name.split(".")
                if parts[:2] == ["rosetta_worker", "frameworks"] and parts[2] != folder.name:
                    found.append(f"{file.relative_to(SRC)} imports {name}")
    assert not found


def test_imports_are_seen_wherever_they_stand() -> None:
    assert {"proof", "environments"} <= rooms_used(HOST / "benchmark" / "prover.py")
    relative = set(imported(WORKER / "frameworks" / "torch" / "trainer.py"))
    assert "rosetta_worker.frameworks.torch.parameters" in {name.rpartition(".")[0] for name in relative} | relative
