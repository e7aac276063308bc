"""The file of a history: opened alone or to read only, made where there is none, refused where it is another's."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rosetta.errors import RosettaError, storage_error
from rosetta.files import check_place
from rosetta.history.schema import FORM, TABLES, statements

if TYPE_CHECKING:
    import duckdb

DEFAULT = Path("runs") / "history.duckdb"
"""Below the working directory, beside the runs."""
WAIT_SECONDS = 60.0
"""How long another process is waited for that has the file open."""
_POLL_SECONDS = 0.1
_HARMLESS = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "temp_directory": "",
    "lock_configuration": "true",
}
"""With these, SQL reaches neither files nor network, and can't change that."""


def place(given: str | Path | None) -> Path:
    """Return the history's file: the one given, else ``ROSETTA_HISTORY``, else the one beside the runs."""
    return Path(given or os.environ.get("ROSETTA_HISTORY") or DEFAULT)


@contextlib.contextmanager
def opened(
    path: Path, *, write: bool = False, wait: float = WAIT_SECONDS, say: Callable[[str], None] = lambda sentence: None
) -> Iterator["duckdb.DuckDBPyConnection"]:
    """Open a history, to ``write`` one that isn't there is made; raise ``RosettaError`` where it can't be used.

    DuckDB lets one process write, or several read. Another one is waited for so many seconds, which ``say`` is told.
    """
    duckdb = _duckdb()
    _check_file(path, write)
    connection = _connected(path, write, wait, say)
    try:
        _check_form(connection, path, write)
        yield connection
    except duckdb.IOException as error:
        raise RosettaError(f"{path} can't be used: {_words(error)}.", "What was added before is safe.") from error
    finally:
        connection.close()


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError as error:
        raise RosettaError(
            "A history needs the package duckdb, which isn't installed.", "pip install 'rosetta-dl[history]'"
        ) from error
    return duckdb


def _check_file(path: Path, write: bool) -> None:
    """Raise ``RosettaError`` where the file isn't there to be read, or nothing can be written in its place."""
    try:
        if write:
            path.parent.mkdir(parents=True, exist_ok=True)
            check_place(path)
        elif not path.is_file():
            raise RosettaError(
                f"There is no history {path}.", "rosetta history add RUN makes one; --history names another file."
            )
        str(path).encode()
    except OSError as error:
        raise storage_error(error, path, "used") from error
    except UnicodeEncodeError as error:
        raise RosettaError(f"The name {path} isn't UTF-8.", "Name another file.") from error


def _connected(path: Path, write: bool, wait: float, say: Callable[[str], None]) -> "duckdb.DuckDBPyConnection":
    duckdb = _duckdb()
    until, told = time.monotonic() + wait, False
    while True:
        try:
            if write:
                return duckdb.connect(str(path))  # type: ignore[no-any-return]
            return duckdb.connect(str(path), read_only=True, config=_HARMLESS)  # type: ignore[no-any-return]
        except duckdb.IOException as error:
            if "lock" not in str(error).lower():
                raise _not_a_history(path, error) from error
            if time.monotonic() >= until:
                raise RosettaError(
                    f"Another process has {path} open, and had it for {wait:g} seconds.",
                    "Wait until it is done with it, and try again.",
                ) from error
        except duckdb.Error as error:
            raise _not_a_history(path, error) from error
        if not told:
            say(f"Another process has {path} open; waiting for it, {wait:g} seconds at most.")
            told = True
        time.sleep(_POLL_SECONDS)


def _not_a_history(path: Path, error: Exception) -> RosettaError:
    return RosettaError(
        f"{path} can't be opened as a history: {_words(error)}.",
        "Name another with --history; one of a newer DuckDB is read with: pip install --upgrade duckdb",
    )


def _words(error: Exception) -> str:
    """Return the first line of what DuckDB says, without its kind and its full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].partition("Error: ")[2].rstrip(".!") or str(
        error
    )


def _check_form(connection: "duckdb.DuckDBPyConnection", path: Path, write: bool) -> None:
    """Make the tables of a new file; raise ``RosettaError`` where they are a newer version's or somebody else's."""
    names = {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if not names and write:
        connection.execute("BEGIN")
        for statement in statements():
            connection.execute(statement)
        connection.execute("COMMIT")
        return
    form = connection.execute("SELECT max(form) FROM about").fetchall()[0][0] if "about" in names else None
    if isinstance(form, int) and form > FORM:
        raise RosettaError(
            f"{path} was made by a newer version of Rosetta (form {form}; this one knows {FORM}).",
            "pip install --upgrade rosetta-dl",
        )
    if form != FORM or not names.issuperset(TABLES):
        raise RosettaError(f"{path} is a DuckDB file, but no history of Rosetta's.", "Name another with --history.")
