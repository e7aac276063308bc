"""Adds runs to a history: each once, a later state of it in place of an earlier, what can't be read named."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rosetta.errors import RosettaError, storage_error
from rosetta.history.rows import Row, RunRows, known_by, run_rows
from rosetta.history.schema import TABLES, insertion
from rosetta.history.store import WAIT_SECONDS, opened, place

if TYPE_CHECKING:
    import duckdb

_AT_ONCE = 200
"""Runs that go in together: what is lost where a process is killed, and what memory holds."""


@dataclass
class Added:
    """What became of the runs that were to be added, by their folders."""

    new: list[Path] = field(default_factory=list)
    updated: list[Path] = field(default_factory=list)
    """Runs that had gone on since they were added."""
    unchanged: list[Path] = field(default_factory=list)
    refused: dict[Path, RosettaError] = field(default_factory=dict)


def add_to_history(
    folders: Iterable[str | Path],
    history: str | Path | None = None,
    *,
    wait: float = WAIT_SECONDS,
    say: Callable[[str], None] = lambda sentence: None,
) -> Added:
    """Add runs to a history's file, by default ``runs/history.duckdb``; return what became of each.

    A run that can't be read, or is of two runs, is refused with its reason, and the others go in. One that is there
    already changes nothing, unless it has gone on since: then its later state is kept. Raises ``RosettaError`` where
    the file can't be used, was made by a newer version, or another process has it for longer than ``wait`` seconds.
    """
    path, added = place(history), Added()
    with opened(path, write=True, wait=wait, say=say) as connection:  # before hours go into reading runs
        there = _there(connection)
    all_ = list(dict.fromkeys(map(Path, folders)))
    for start in range(0, len(all_), _AT_ONCE):
        read = dict(_read(all_[start : start + _AT_ONCE], there, added))
        if read:
            with opened(path, write=True, wait=wait, say=say) as connection:
                _insert(connection, read, added)
    return added


_There = Mapping[str, tuple[int, str]]
"""How long a run's log was that is in the history, and its digest."""


def _there(connection: "duckdb.DuckDBPyConnection") -> _There:
    found = connection.execute("SELECT run, log_bytes, log_digest FROM runs").fetchall()
    return {run: (size, digest) for run, size, digest in found}


def _read(folders: Sequence[Path], there: _There, added: Added) -> Iterable[tuple[Path, RunRows]]:
    """Read runs while nobody is kept from the file; those that are there as they stand only as far as that is seen."""
    for folder in folders:
        try:
            run, log = known_by(folder)
            if run in there and there[run] == (len(log), hashlib.sha256(log).hexdigest()):
                added.unchanged.append(folder)
            else:
                yield folder, run_rows(folder)
        except RosettaError as error:
            added.refused[folder] = error
        except OSError as error:
            added.refused[folder] = storage_error(error, folder, "read")


def _insert(connection: "duckdb.DuckDBPyConnection", read: dict[Path, RunRows], added: Added) -> None:
    """Insert what is new, all of it or nothing."""
    there = dict(_there(connection))  # another process may have added since
    taken: dict[str, RunRows] = {}
    before = set(there)
    for folder, rows in read.items():
        known = there.get(rows.id)
        try:
            later = known is None or _is_later(folder, rows.log, *known)
        except RosettaError as error:
            added.refused[folder] = error
            continue
        (added.unchanged if not later else added.updated if known else added.new).append(folder)
        if later:
            taken[rows.id] = rows
            there[rows.id] = rows.run["log_bytes"], rows.run["log_digest"]
    connection.execute("BEGIN")
    old = [run for run in taken if run in before]
    for table in ("results", "runs"):
        connection.execute(f"DELETE FROM {table} WHERE run IN (SELECT unnest($1::VARCHAR[]))", [old])
    _fill(connection, "runs", [rows.run for rows in taken.values()])
    _fill(connection, "results", [row for rows in taken.values() for row in rows.results])
    _fill_packages(connection, taken.values())
    connection.execute("COMMIT")


def _is_later(folder: Path, log: bytes, size: int, digest: str) -> bool:
    """Whether a log goes on where the one that was added ended; raise ``RosettaError`` where the two went apart."""
    if len(log) < size:
        return False  # an earlier state, or the same with lines lost
    if hashlib.sha256(log[:size]).hexdigest() != digest:
        raise RosettaError(
            f"{folder} and a run in the history began as one and then went apart, or one of the two was changed.",
            "They aren't one run: add only one of them.",
        )
    return len(log) > size


def _fill(connection: "duckdb.DuckDBPyConnection", table: str, rows: Sequence[Row]) -> None:
    if rows:
        connection.execute(insertion(table), [[_value(row.get(name)) for row in rows] for name in TABLES[table]])


def _fill_packages(connection: "duckdb.DuckDBPyConnection", runs: Iterable[RunRows]) -> None:
    """Insert the environments that aren't there yet: most runs share theirs with others."""
    wanted = {digest: versions for rows in runs for digest, versions in rows.packages.items()}
    there = {row[0] for row in connection.execute("SELECT DISTINCT packages FROM packages").fetchall()}
    _fill(
        connection,
        "packages",
        [
            {"packages": digest, "package": package, "version": version}
            for digest, versions in wanted.items()
            if digest not in there
            for package, version in versions.items()
        ],
    )


def _value(value: Any) -> Any:
    """Return a value that the file can hold: half characters, which JSON may have, are spelled out."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
