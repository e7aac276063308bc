"""What the README says of the frameworks is what they declare."""

import re
from pathlib import Path

from packaging.requirements import Requirement

from rosetta.contenders.contender import contender_sets, parse_contender
from rosetta.contenders.manifest import frameworks

README = Path(__file__).parents[1] / "README.md"
ROW = re.compile(r"^\| [^|`]+ \| `([^`]+)` \| ([\d.]+) \|", re.MULTILINE)


def test_the_table_of_published_frameworks_names_contenders_and_their_versions() -> None:
    known = frameworks()
    rows = dict(ROW.findall(README.read_text("utf-8")))
    assert set(contender_sets(known)["heritage"]) <= set(rows)
    for name, version in rows.items():
        contender = parse_contender(name, known)
        lines = [*contender.packages("cpu"), *(wheel.requirement for wheel in contender.foreign("cpu"))]
        pins = {Requirement(line).name: line.partition("==")[2] for line in lines}
        assert pins[contender.distribution("cpu")] == version, name
