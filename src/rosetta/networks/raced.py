"""A network of one's own as a workload: what a plan holds of its folder, and what the conductor asks of that."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rosetta.contenders.manifest import Framework
from rosetta.errors import RosettaError
from rosetta.networks.folder import MAKER, MANIFEST, OwnFolder, names_folder, read_folder
from rosetta.networks.notation import OwnNetwork
from rosetta.networks.texts import names_in
from rosetta.workloads.layers import Shape
from rosetta.workloads.spec import Workload

_TRAINING = ("loss", "make_optimizer")
"""What each file has besides its network where training is timed."""
_Text = Annotated[str, Field(min_length=1, max_length=10_000, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Line = Annotated[str, Field(max_length=10_000)]


class RacedNetwork(BaseModel):
    """What a plan holds of the folder of a network of one's own: enough to show its result when the folder is gone."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    folder: _Text
    title: _Line
    standard: _Text = Field(description="the contender whose network the others are held against")
    sides: Annotated[list[_Text], Field(max_length=1_000)] = Field(description="the contenders that have the network")
    without: dict[_Text, _Line] = Field(default={}, description="the plan's other contenders, and why they haven't")
    batch: Annotated[int, Field(ge=1, le=2**31)]
    trains: bool = Field(description="whether training is timed; else prediction")
    inputs: Annotated[list[_Line], Field(min_length=1, max_length=1_000)]
    targets: Annotated[list[_Line], Field(max_length=1_000)] = []
    data: _Line = Field(description='"random", or the files that the samples are taken from')
    packages: Annotated[list[_Line], Field(max_length=1_000)] = Field(
        default=[], description="requirements for the environments, each after its framework's name and a colon"
    )

    def extra(self, framework: str) -> list[str]:
        """Return the requirements for a framework's environment."""
        wanted = (line.partition(":") for line in self.packages)
        return [requirement for whose, _, requirement in wanted if whose == framework]


@dataclass(frozen=True, kw_only=True)
class OwnWorkload(Workload):
    """A network of one's own where workloads are wanted. It has no declared layers, no test set, no published times."""

    raced: RacedNetwork
    file: str = ""
    """A worker's file, in which its network is."""
    channels_last: bool = True
    """Whether that takes images so, of frameworks that have both orders."""

    @property
    def trains(self) -> bool:
        """Whether training is timed: the folder's files have ``loss`` and ``make_optimizer``."""
        return self.raced.trains

    @property
    def declared(self) -> bool:
        """Its layers aren't: it is held against the standard, and no reference."""
        return False

    @property
    def tests(self) -> bool:
        """There is no test set."""
        return False

    @property
    def predicts_singly(self) -> bool:
        """A network may be made for batches of one size."""
        return False

    @property
    def output_shape(self) -> Shape:
        """Not declared; classes are none."""
        return (1,)

    @property
    def forward_flops(self) -> int:
        """0: they aren't counted."""
        return 0

    def why_not(self, contender: str) -> str:
        """Return why a contender doesn't have it; an empty text where it does."""
        if contender in self.raced.sides:
            return ""
        return self.raced.without.get(contender, f"{self.name} has no network for {contender}.")

    def to_worker(self, dtype: str = "float32", batch_size: int | None = None) -> dict[str, Any]:
        """Describe it to a worker, as JSON."""
        return {
            "name": self.name,
            "own": {"folder": self.raced.folder, "file": self.file, "maker": MAKER},
            "trained": self.trains,
            "channels_last": self.channels_last,
            "batch_size": batch_size or self.batch_size,
        }


def own_workload(name: str, raced: RacedNetwork) -> OwnWorkload:
    """Return the workload of a plan's own network."""
    return OwnWorkload(
        name=name,
        title=raced.title,
        source="A network of one's own",
        dataset="",
        inputs=(),
        layers=(),
        optimizer=None,
        batch_size=raced.batch,
        epochs=0,
        compared_after=0,
        reached="",
        loss="its own",
        raced=raced,
    )


def named_folder(text: str, folders: Sequence[Path]) -> OwnFolder | None:
    """Return the folder of a network of one's own that is named, by its path or by its name in one of these folders.

    None where there is none such; raises ``RosettaError`` where it can't be read, or Rosetta has one of that name.
    """
    for folder in folders:
        if not folder.is_dir():
            raise RosettaError(f"{folder} is no folder.", "--workloads takes one that has those of networks.")
    places = [Path(text), *(folder / text for folder in folders if Path(text).name == text)]
    found = [place for place in places if names_folder(text) and (place / MANIFEST).is_file()]
    if len({place.resolve() for place in found}) > 1:
        raise RosettaError(f"{text} may be {found[0]} or {found[1]}.", "Name it by its path.")
    return read_folder(found[0]) if found else None


def raced_network(
    own: OwnFolder, standard: OwnNetwork, contenders: Sequence[str], known: dict[str, Framework], *, alone: bool
) -> RacedNetwork:
    """Return what a plan holds of a folder, whose networks in these contenders, all placed, take part.

    Of others the reason is told; where the folder is ``alone``, so that they would have nothing to do, or no contender
    is left, it is raised as ``RosettaError``.
    """
    sides, without = [], {}
    for name in contenders:
        try:
            network = own.network(name, known, "cpu")
            if not (network.contender.framework.folder / "own_trainer.py").is_file():
                title = network.contender.framework.title
                raise RosettaError(f"{title} times no networks of one's own in Rosetta.", "It can be checked.")
            sides.append(network)
        except RosettaError as error:
            if alone:
                raise
            without[name] = f"{error.cause} {error.remedy}".strip()
    if not sides:
        raise RosettaError(
            f"None of these contenders has a network in {own.folder}: {', '.join(contenders)}.", "Name one that has."
        )
    networks = [standard, *sides]
    files = [text for one in (*own.table.inputs, *own.table.targets) if (text := one.data)]
    try:
        return RacedNetwork(
            folder=str(own.folder.absolute()),
            title=own.table.title,
            standard=standard.contender.name,
            sides=[network.contender.name for network in sides],
            without=without,
            batch=own.table.batch,
            trains=all(name in names_in(standard) for name in _TRAINING),
            inputs=[one.text for one in own.inputs],
            targets=[one.text for one in own.targets],
            data=", ".join(dict.fromkeys(files)) or "random",
            packages=sorted({f"{n.contender.framework.name}:{line}" for n in networks for line in n.contender.extra}),
        )
    except ValidationError as error:  # a name with control characters
        first = error.errors()[0]
        raise RosettaError(f"{own.folder} can't be raced: {first['loc'][0]}: {first['msg']}.") from error
