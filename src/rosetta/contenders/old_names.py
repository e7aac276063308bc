"""Gives a manifest that was written with the names of before today's, and warns once per file."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rosetta.errors import RosettaError

_FRAMEWORK = {"about": "description", "cannot": "unsupported"}
_VARIANT = {"meaning": "description", "texts": "implementation_suffix", "cannot": "unsupported"}
_STATEMENT = {"words": "description"}

_warned: set[tuple[Path, str]] = set()
"""The warnings given: a manifest is read several times, and Python forgets its own when a library touches a filter."""


def with_todays_names(manifest: Path, text: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest's ``data`` under today's names; ``text`` is what it was read from.

    Raises ``RosettaError`` where something has its old name and its new one. What is of another type than it should be
    is left as it is.
    """
    renaming = _Renaming(manifest)
    found = renaming.part(data, _FRAMEWORK, "")
    variants = found.get("variants")
    if isinstance(variants, dict):
        found["variants"] = {
            name: renaming.part(variant, _VARIANT, f"variants.{name}.") if isinstance(variant, dict) else variant
            for name, variant in variants.items()
        }
    if renaming.met:
        _warn(manifest, text, renaming.met)
    return found


class _Renaming:
    """The renaming of one manifest; ``met`` has the old names that it met, each with today's."""

    def __init__(self, manifest: Path):
        self._manifest = manifest
        self.met: dict[str, str] = {}

    def part(self, table: dict[str, Any], names: Mapping[str, str], place: str) -> dict[str, Any]:
        """Rename in a framework's or a variant's table all but the variants; ``place`` is where it stands."""
        found = self._table(table, names, place)
        if "replication" in found:
            found["replication"] = self._statement(found["replication"], f"{place}replication.")
        deviations = found.get("deviations")
        if isinstance(deviations, dict):
            self.met["[deviations.WORKLOAD]"] = "[[deviations]] with workloads"
            deviations = [
                {"workloads": [workload], **deviation} if isinstance(deviation, dict) else deviation
                for workload, deviation in deviations.items()
            ]
        if isinstance(deviations, list):
            found["deviations"] = [self._statement(deviation, f"{place}deviations.") for deviation in deviations]
        return found

    def _statement(self, value: Any, place: str) -> Any:
        return self._table(value, _STATEMENT, place) if isinstance(value, dict) else value

    def _table(self, table: dict[str, Any], names: Mapping[str, str], place: str) -> dict[str, Any]:
        for old, new in names.items():
            if old in table and new in table:
                raise RosettaError(
                    f"{self._manifest}: {place}{old}: that is the old name of {new}, and both are given.",
                    f"Keep {new}.",
                )
            if old in table:
                self.met[old] = new
        return {names.get(name, name): value for name, value in table.items()}


def _warn(manifest: Path, text: str, met: Mapping[str, str]) -> None:
    """Warn at the first line with an old name."""
    words = [re.escape(old.strip("[]").partition(".")[0]) for old in met]
    first = re.search(rf'^[^#"\n]*\b(?:{"|".join(words)})\b', text, re.MULTILINE)
    line = text.count("\n", 0, first.end()) + 1 if first else 1
    today = "; ".join(f"{old} is now {new}" for old, new in sorted(met.items()))
    message = f"old names, which are still read: {today}."
    if (manifest, message) not in _warned:
        _warned.add((manifest, message))
        warnings.warn_explicit(message, FutureWarning, str(manifest), line)
