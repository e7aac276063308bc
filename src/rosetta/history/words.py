"""The questions that ``rosetta history list`` and ``show`` ask, and how a run is named."""

from pathlib import Path
from typing import Any

from rosetta.errors import RosettaError
from rosetta.history.query import ask_history

RUNS_QUERY = """
SELECT substr(runs.run, 1, 8) AS id, runs.name AS run, runs.kind, strftime(runs.started, '%Y-%m-%d %H:%M') AS started,
       runs.machine, string_agg(DISTINCT workload, ', ' ORDER BY workload) AS workloads,
       string_agg(DISTINCT contender, ', ' ORDER BY contender) AS contenders,
       CASE WHEN complete THEN 'yes' ELSE 'no' END AS complete
FROM runs LEFT JOIN results USING (run)
GROUP BY ALL ORDER BY started, runs.name
"""
RUN_QUERY = """
SELECT workload, contender, version, launch + 1 AS launch, status, proof, samples_per_second AS "samples/s",
       first_step_seconds AS "first step s", peak_memory_bytes / 2**30 AS GiB, 100 * accuracy AS "test %",
       substr(code, 1, 8) AS code
FROM results WHERE run = $1 ORDER BY workload, contender, launch
"""
REASONS_QUERY = """
SELECT DISTINCT workload, contender, reason FROM results WHERE run = $1 AND status != 'ok' ORDER BY ALL
"""
_LONGEST = 5


def find_run(text: str, history: str | Path | None) -> dict[str, Any]:
    """Return the row of a run by its name or the beginning of its id; raise ``RosettaError`` unless there is one."""
    named = ask_history("SELECT * FROM runs WHERE name = $1 OR run = $1 ORDER BY started", [text], history)
    found = named or ask_history("SELECT * FROM runs WHERE starts_with(run, $1) ORDER BY started", [text], history)
    if not text or not found:
        raise RosettaError(f"The history has no run '{text}'.", "rosetta history list shows those that it has.")
    if len(found) > 1:
        ids = ", ".join(row["run"] for row in found[:_LONGEST])
        raise RosettaError(f"{len(found)} runs of the history are called '{text}'.", f"Name one by its id: {ids}")
    return found[0]
