"""Asks a history by SQL, which can read its tables and nothing else."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rosetta.errors import RosettaError
from rosetta.history.store import WAIT_SECONDS, opened, place

if TYPE_CHECKING:
    import duckdb

_AT_ONCE = 10_000
_EXAMPLE = "SELECT workload, contender, median(samples_per_second) FROM history GROUP BY ALL"


@dataclass
class Answer:
    """The rows that a query gave, as they come."""

    columns: list[str]
    rows: Iterator[tuple[Any, ...]]


@contextlib.contextmanager
def asked(
    sql: str, parameters: Sequence[Any] = (), history: str | Path | None = None, *, wait: float = WAIT_SECONDS
) -> Iterator[Answer]:
    """Ask by one SELECT; raise ``RosettaError`` where it is something else or DuckDB doesn't understand it.

    The file is opened to read only, and SQL reaches neither other files nor the network.
    """
    with opened(place(history), wait=wait) as connection:
        import duckdb

        _check_statement(sql)
        try:
            connection.execute(sql, list(parameters))
            columns = [column[0] for column in connection.description or []]
            yield Answer(columns, _rows(connection))
        except duckdb.IOException:
            raise
        except duckdb.Error as error:
            raise _not_understood(error) from error


def ask_history(sql: str, parameters: Sequence[Any] = (), history: str | Path | None = None) -> list[dict[str, Any]]:
    """Return all rows that a SELECT gives, as dictionaries; raise ``RosettaError`` as ``asked`` does."""
    with asked(sql, parameters, history) as answer:
        return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def _check_statement(sql: str) -> None:
    """Raise ``RosettaError`` unless it is one SELECT: EXPLAIN ANALYZE, say, carries out what it explains."""
    import duckdb

    try:
        sql.encode()  # half characters are no text for it
        statements = duckdb.extract_statements(sql)
    except (duckdb.Error, UnicodeEncodeError) as error:
        raise _not_understood(error) from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise RosettaError("A query is one SELECT, and this isn't one.", f"Write, say: {_EXAMPLE}")


def _rows(connection: "duckdb.DuckDBPyConnection") -> Iterator[tuple[Any, ...]]:
    while some := connection.fetchmany(_AT_ONCE):
        yield from some


def _not_understood(error: Exception) -> RosettaError:
    return RosettaError(f"DuckDB can't answer that: {str(error).strip()}", "DESCRIBE history names the columns.")
