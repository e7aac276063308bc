"""What a planted fault is: a text to put in another's place in a copy of a framework's folder, and who must see it."""

import hashlib
import shutil
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Literal

SOURCE = Path(__file__).parents[2] / "src"
FRAMEWORKS = SOURCE / "rosetta_worker" / "frameworks"

SeenBy = Literal["verify", "run"]
"""By the proof alone, or by what a run asks of the process that it times."""


@dataclass(frozen=True)
class Fault:
    """One fault; without ``old`` and ``new`` it is a correct copy, as which every cell is tried first."""

    contender: str
    """As one writes it: ``keras[jax]``."""
    workload: str
    name: str
    file: str = ""
    """In the framework's folder."""
    old: str = ""
    """Occurs in the file exactly once."""
    new: str = ""
    means: str = ""
    """What a careless or a clever author would have done."""
    seen_by: SeenBy = "verify"
    harmless: str = ""
    """Why it can't matter that the fault passes, if it does; empty: it can."""
    may_end: bool = False
    """The copy need not run: that it is refused, or gives no result, is being caught."""

    @property
    def id(self) -> str:
        """``torch/mnist_mlp/epsilon``, unlike any other's."""
        return f"{self.contender}/{self.workload}/{self.name}"

    @property
    def framework(self) -> str:
        """The framework's name, which is its folder's."""
        return self.contender.partition("[")[0]

    @property
    def correct(self) -> "Fault":
        """The same cell without a fault."""
        return Fault(self.contender, self.workload, "correct", seen_by=self.seen_by)

    def key(self, source: str) -> str:
        """Digest all that its result depends on; ``source`` is ``source_digest()``."""
        return hashlib.sha256(repr((source, astuple(self))).encode()).hexdigest()[:16]


class NotPlanted(Exception):
    """The text to replace isn't there, or more than once: the implementation has changed."""


def plant(fault: Fault, folder: Path) -> Path:
    """Copy the framework into ``folder``, under a name of its own, with the fault in it; return the copy.

    The worker imports a framework under its folder's name. The manifest's name stays: a folder that is given by
    ``--frameworks`` stands in the built-in one's place. Raises ``NotPlanted``.
    """
    copy = folder / f"{fault.framework}_planted"
    shutil.copytree(FRAMEWORKS / fault.framework, copy, ignore=shutil.ignore_patterns("__pycache__"))
    if fault.file:
        path = copy / fault.file
        path.write_text(planted_text(fault, path.read_text("utf-8")), "utf-8")
    return copy


def planted_text(fault: Fault, text: str) -> str:
    """Return the file's text with the fault; raise ``NotPlanted``."""
    found = text.count(fault.old)
    if found != 1:
        raise NotPlanted(f"{fault.id}: in {fault.file} the text to replace is there {found} times, not once")
    return text.replace(fault.old, fault.new)


def source_digest() -> str:
    """Digest Rosetta's source, host and worker: a result belongs to the code that it was made with."""
    digest = hashlib.sha256()
    for path in sorted(SOURCE.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(SOURCE)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
