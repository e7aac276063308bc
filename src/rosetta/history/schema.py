"""The tables of a history, a column a line; whoever changes them raises ``FORM``."""

from collections.abc import Mapping

FORM = 1
"""Of the tables. A file of a higher one was made by a newer Rosetta, and isn't touched."""

RUNS: Mapping[str, str] = {
    "run": "VARCHAR PRIMARY KEY",
    "name": "VARCHAR",
    "folder": "VARCHAR",
    "kind": "VARCHAR",
    "started": "TIMESTAMP",
    "complete": "BOOLEAN",
    "preset": "VARCHAR",
    "launches": "INTEGER",
    "epochs": "BOOLEAN",
    "one_at_a_time": "BOOLEAN",
    "seed": "BIGINT",
    "confidence": "DOUBLE",
    "wall_seconds": "DOUBLE",
    "command": "VARCHAR",
    "rosetta_version": "VARCHAR",
    "machine": "VARCHAR",
    "platform": "VARCHAR",
    "cpu": "VARCHAR",
    "cores": "BIGINT",
    "cpu_quota": "DOUBLE",
    "memory_bytes": "BIGINT",
    "gpus": "VARCHAR",
    "matmul_flops": "DOUBLE",
    "copy_bytes_per_second": "DOUBLE",
    "left_out": "INTEGER",
    "log_bytes": "BIGINT",
    "log_digest": "VARCHAR",
    "added": "TIMESTAMP",
}
"""One row a run."""

RESULTS: Mapping[str, str] = {
    "run": "VARCHAR",
    "workload": "VARCHAR",
    "contender": "VARCHAR",
    "variant": "VARCHAR",
    "launch": "INTEGER",
    "framework": "VARCHAR",
    "version": "VARCHAR",
    "precision": "VARCHAR",
    "device": "VARCHAR",
    "replicas": "BIGINT",
    "data": "VARCHAR",
    "batch_size": "BIGINT",
    "status": "VARCHAR",
    "reason": "VARCHAR",
    "proof": "VARCHAR",
    "unproven": "INTEGER",
    "rounds": "INTEGER",
    "samples": "BIGINT",
    "seconds": "DOUBLE",
    "samples_per_second": "DOUBLE",
    "import_seconds": "DOUBLE",
    "build_seconds": "DOUBLE",
    "first_step_seconds": "DOUBLE",
    "peak_memory_bytes": "BIGINT",
    "gpu_memory_bytes": "BIGINT",
    "accuracy": "DOUBLE",
    "accuracy_after": "BIGINT",
    "loss": "DOUBLE",
    "code": "VARCHAR",
    "framework_code": "VARCHAR",
    "packages": "VARCHAR",
}
"""One row a contender, workload and launch; who has no launch, as who isn't proven, has one row without."""

PACKAGES: Mapping[str, str] = {
    "packages": "VARCHAR",
    "package": "VARCHAR",
    "version": "VARCHAR",
}
"""What an environment has in it, by the digest that ``results`` names."""

TABLES: Mapping[str, Mapping[str, str]] = {"runs": RUNS, "results": RESULTS, "packages": PACKAGES}
VIEW = "history"
"""Every row of ``results`` with what its run says."""

_OF_THE_RUN = (
    *("name", "kind", "started", "complete", "machine", "platform", "cpu", "cores", "rosetta_version", "preset"),
    "seed",
)


def statements() -> list[str]:
    """Return the SQL that makes an empty history."""
    made = ["CREATE TABLE about (form INTEGER)", f"INSERT INTO about VALUES ({FORM})"]
    for name, columns in TABLES.items():
        made.append(f"CREATE TABLE {name} ({', '.join(f'{column} {kind}' for column, kind in columns.items())})")
    of_run = ", ".join(f"runs.{column}" for column in _OF_THE_RUN)
    made.append(f"CREATE VIEW {VIEW} AS SELECT results.*, {of_run} FROM results JOIN runs USING (run)")
    return made


def insertion(table: str) -> str:
    """Return the SQL that inserts rows into a table: a list for each of its columns, in their order."""
    lists = ", ".join(
        f"unnest(${number}::{kind.partition(' ')[0]}[])" for number, kind in enumerate(TABLES[table].values(), 1)
    )
    return f"INSERT INTO {table} SELECT {lists}"
