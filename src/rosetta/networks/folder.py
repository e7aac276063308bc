"""Reads the folder of a network of one's own: its ``network.toml``, and which file is whose."""

import dataclasses
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from rosetta.contenders.device import Wanted
from rosetta.contenders.manifest import Framework
from rosetta.errors import RosettaError, storage_error, unknown
from rosetta.files import LARGEST_TEXT, open_regular, read_regular
from rosetta.networks.inputs import BATCH, OwnInput, parse_input, parse_target
from rosetta.networks.notation import OwnNetwork, parse_network
from rosetta.workloads import workloads

MANIFEST = "network.toml"
MAKER = "make_network"
"""What each file makes its network with."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*", re.ASCII)
_Shape = Annotated[list[Annotated[int, Field(ge=1, strict=True)]], Field(min_length=1, max_length=8)]
_Error = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]


def _inside(text: str) -> str:
    """Refuse what leads out of the folder by its name alone."""
    path = Path(text)
    if not text or "\0" in text or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{text!r} isn't a path inside the folder")
    return text


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputTable(_Table):
    """One input: the shape of a sample, and what its values are."""

    shape: _Shape
    integers: Annotated[list[Annotated[int, Field(strict=True)]], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="whole numbers from the first up to one less than the second"
    )
    floats: Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=2, max_length=2)] | None = (
        Field(default=None, description="real numbers, evenly spread between the two; else standard normal")
    )
    data: Annotated[str, AfterValidator(_inside)] = Field(
        default="", description="a .npy or .npz file in the folder, whose first samples are taken"
    )
    array: str = Field(default="", description="of a .npz file, which array")

    @model_validator(mode="after")
    def _values_are_of_one_kind(self) -> Self:
        if sum((self.integers is not None, self.floats is not None, bool(self.data))) > 1:
            raise ValueError("name one of integers, floats and data")
        if self.floats and not self.floats[0] < self.floats[1]:
            raise ValueError(f"floats = {self.floats}: the first isn't below the second")
        if self.data and not self.data.endswith((".npy", ".npz")):
            raise ValueError(f"data is {self.data!r}, neither a .npy nor a .npz file")
        if bool(self.array) != self.data.endswith(".npz"):
            raise ValueError("array names which of a .npz file's arrays it is: both or neither")
        return self


class TargetTable(InputTable):
    """What a ``loss`` beside the networks gets besides the outputs; without a shape it is one number a sample."""

    shape: list[Annotated[int, Field(ge=1, strict=True)]] = Field(default=[], max_length=8)

    @model_validator(mode="after")
    def _is_told(self) -> Self:
        if not self.shape and self.integers is None and not self.data:
            raise ValueError("name integers, as [0, 10] for a class of each sample, or data, or a shape")
        return self


class OutputTable(_Table):
    """One output of the standard."""

    name: str
    shape: list[Annotated[int, Field(ge=0, strict=True)]] = Field(description="with the batch")


class TolerancesTable(_Table):
    """Tolerances of one's own, relative L2, instead of the contenders'."""

    reason: str = Field(min_length=1, description="why these")
    outputs: _Error | None = None
    gradients: _Error | None = None
    statistics: _Error | None = None


class NetworkTable(_Table):
    """A folder's ``network.toml``."""

    title: str = Field(min_length=1, max_length=200)
    networks: list[str] = Field(min_length=1, description="contenders, each with FRAMEWORK.py in the folder")
    standard: str = Field(default="", description="which of them the others are held against; the first")
    batch: int = Field(default=BATCH, ge=1, strict=True, description="samples in a batch")
    inputs: list[InputTable] = Field(min_length=1)
    targets: list[TargetTable] = Field(default=[], description="what the loss gets besides the outputs")
    outputs: list[OutputTable] = Field(default=[], description="the standard's, in evaluation")
    parameters: int | None = Field(default=None, ge=0, strict=True, description="values of the standard's parameters")
    packages: dict[str, list[str]] = Field(default={}, description="by framework, requirements for its environment")
    tolerances: TolerancesTable | None = None

    @model_validator(mode="after")
    def _has_a_standard(self) -> Self:
        if len(set(self.networks)) < len(self.networks):
            raise ValueError("networks names one twice")
        if odd := [name for name in self.networks if ":" in name]:
            raise ValueError(f"networks has {odd[0]!r}, which is no contender: its file is the folder's own")
        if self.standard and self.standard not in self.networks:
            raise ValueError(f"standard is {self.standard!r}, which isn't among networks")
        return self


@dataclass(frozen=True)
class StoredInput(OwnInput):
    """One input whose samples are in a file."""

    file: Path = Path()
    array: str = ""

    def count(self) -> int:
        """Return how many samples the file has; raise ``RosettaError`` where it can't be read."""
        return len(self._read())

    def make(self, batch: int, random: np.random.Generator) -> NDArray[Any]:
        """Return the file's first samples, float32 or int64; raise ``RosettaError`` where there are none such."""
        array = self._read()
        if array.shape[1:] != self.shape or len(array) < batch or array.dtype.kind not in "fiu":
            raise RosettaError(
                f"{self.file} holds {array.dtype} {array.shape}, not at least {batch} samples of {self.shape}.",
                "Give the shape of one sample, without the batch.",
            )
        taken = np.ascontiguousarray(array[:batch], np.float32 if array.dtype.kind == "f" else np.int64)
        if not np.isfinite(taken).all():
            raise RosettaError(f"{self.file} has numbers that aren't finite.")
        return taken

    def _read(self) -> NDArray[Any]:
        try:
            with open(open_regular(self.file), "rb") as file:
                found = np.load(file, allow_pickle=False)
                if self.array and self.array not in found:
                    raise unknown(f"array in {self.file}", self.array, found)
                array = np.asarray(found[self.array] if self.array else found)
                if not array.ndim:
                    raise RosettaError(f"{self.file} holds a single number, no samples.")
                return array
        except OSError as error:
            raise storage_error(error, self.file, "read") from error
        except Exception as error:  # a damaged or hostile file: NumPy and zipfile raise a dozen kinds
            if isinstance(error, RosettaError):
                raise
            raise RosettaError(f"{self.file} holds no array that can be read: {error}.") from error


@dataclass(frozen=True)
class OwnFolder:
    """The folder of a network of one's own, as it was read."""

    folder: Path
    table: NetworkTable

    @property
    def inputs(self) -> list[OwnInput]:
        """Return what the networks are asked about; raise ``RosettaError`` where a range or a file can't be."""
        return [self._input(one) for one in self.table.inputs]

    @property
    def targets(self) -> list[OwnInput]:
        """Return what a loss gets besides the outputs; raises as ``inputs`` does."""
        return [self._input(one) for one in self.table.targets]

    def networks(
        self, known: dict[str, Framework], device: Wanted = "auto", packages: Sequence[str] = ()
    ) -> list[OwnNetwork]:
        """Return its networks, the standard first; raise ``RosettaError`` for a contender or file that isn't there."""
        standard = self.table.standard or self.table.networks[0]
        names = [standard, *(name for name in self.table.networks if name != standard)]
        return [self.network(name, known, device, packages) for name in names]

    def check_standard(self, parameters: int, outputs: dict[str, tuple[int, ...]], batch: int) -> None:
        """Raise ``RosettaError`` where the standard isn't what ``network.toml`` says of it."""
        manifest, table = self.folder / MANIFEST, self.table
        if table.parameters not in (None, parameters):
            raise RosettaError(
                f"{manifest} says that there are {table.parameters:,} parameters; the standard has {parameters:,}.",
                "Correct one of the two.",
            )
        said = {one.name: tuple(one.shape) for one in table.outputs}
        if said and batch == table.batch and said != outputs:
            raise RosettaError(
                f"{manifest} says that the outputs are {said}; the standard's are {outputs}.", "Correct one of the two."
            )

    def network(
        self, name: str, known: dict[str, Framework], device: Wanted = "auto", packages: Sequence[str] = ()
    ) -> OwnNetwork:
        """Return the network of a contender, also of one that ``network.toml`` doesn't name; raises as ``networks``."""
        for one in self.table.packages:
            if one not in known:
                error = unknown("framework", one, known)
                raise RosettaError(f"{self.folder / MANIFEST}: packages: {error.cause}", error.remedy)
        wanted = [f"{one}:{line}" for one, lines in self.table.packages.items() for line in lines] + [*packages]
        framework = re.split(r"[\[=@]", name, maxsplit=1)[0].strip()
        if framework not in known:
            error = unknown("framework", framework, known)
            raise RosettaError(f"{self.folder / MANIFEST}: networks: {error.cause}", error.remedy)
        file = self._file(f"{framework}.py")
        network = parse_network(f"{name}:{file}:{MAKER}", known, device, wanted)
        return dataclasses.replace(network, tolerances=self._tolerances(network))

    def _tolerances(self, network: OwnNetwork) -> Any:
        own = self.table.tolerances
        if own is None:
            return None
        named = {"logits": own.outputs, "loss": own.outputs, "gradients": own.gradients, "update": own.statistics}
        return network.contender.tolerances.model_copy(update={k: v for k, v in named.items() if v is not None})

    def _file(self, name: str) -> Path:
        """Return a file of the folder's; raise ``RosettaError`` where it isn't there or a link leads out."""
        path = self.folder / name
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise RosettaError(f"{path} leads out of the folder.", "Put the file itself there.")
        if not path.is_file():
            raise RosettaError(
                f"{self.folder / MANIFEST} names {name}, which isn't there.", "Write it, or leave it out."
            )
        return path

    def _input(self, one: InputTable) -> OwnInput:
        shape = "x".join(map(str, one.shape))
        if one.integers and not shape:
            return parse_target(f"int:{one.integers[0]}:{one.integers[1]}")
        if one.data:
            file = self._file(one.data)
            return StoredInput(
                f"{shape or 'numbers'} of {one.data}", tuple(one.shape), file=file.resolve(), array=one.array
            )
        if one.integers:
            return parse_input(f"int:{one.integers[0]}:{one.integers[1]}:{shape}")
        if one.floats:
            return parse_input(f"float:{one.floats[0]!r}:{one.floats[1]!r}:{shape}")
        return parse_input(shape)


def names_folder(text: str) -> bool:
    """Return whether that is how a folder is named: no colon, as each network's notation has."""
    return ":" not in text


def check_name(name: str) -> None:
    """Raise ``RosettaError`` for what can't be the name of a network of one's own."""
    if not _NAME.fullmatch(name):
        raise RosettaError(f"'{name}' can't be a network's name.", "Take letters, digits, _ and -, a letter first.")
    if name in workloads() or name == "all":  # which means all of them
        what = "a workload" if name in workloads() else "something else called"
        raise RosettaError(f"Rosetta has {what} {name} already.", "Give the folder another name.")


def read_folder(folder: Path) -> OwnFolder:
    """Read a folder's ``network.toml``; raise ``RosettaError`` where it can't be, or says what it may not."""
    manifest = folder / MANIFEST
    check_name(folder.absolute().name)
    if not folder.is_dir():
        raise RosettaError(
            f"There is no folder {folder}.",
            "Name a folder with a network.toml, or networks: torch:model.py:Net jax:port.py:Net.",
        )
    try:
        data = tomllib.loads(read_regular(manifest, LARGEST_TEXT).decode())
    except OSError as error:
        raise storage_error(error, manifest, "read") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise RosettaError(f"{manifest} isn't valid TOML: {error}.") from error
    try:
        return OwnFolder(folder, NetworkTable.model_validate(data))
    except ValidationError as error:
        found = error.errors()
        # A mistyped field is missing too; what it is called instead helps more.
        first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
        place = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            fault = unknown("field", str(first["loc"][-1]), _fields(first["loc"][:-1]))
            raise RosettaError(f"{manifest}: {place}: {fault.cause}", fault.remedy) from error
        message = first["msg"].removeprefix("Value error, ")
        raise RosettaError(": ".join(filter(None, (str(manifest), place, message))) + ".") from error


def _fields(location: Sequence[str | int]) -> list[str]:
    tables: dict[str, type[_Table]] = {
        "inputs": InputTable,
        "targets": TargetTable,
        "outputs": OutputTable,
        "tolerances": TolerancesTable,
    }
    return list((tables[str(location[0])] if location else NetworkTable).model_fields)
