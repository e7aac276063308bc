"""A network's graph as it travels from a worker to the host: plain words and numbers, in the framework's own terms.

An argument of a node is a literal, a list of arguments, or an object with one key that says what it is: ``{"value":
NAME}`` a node's or input's result or a tensor; ``{"batch": K}`` K times the number of samples; ``{"dtype": "int64"}``;
``{"number": "inf"}``, "-inf" or "nan"; ``{"other": TEXT}`` what has no form here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List


@dataclass
class GraphArray:
    """The shape, with the batch, and the type of an array."""

    shape: List[int]
    dtype: str


@dataclass
class GraphInput:
    """An input of the network."""

    name: str
    array: GraphArray


@dataclass
class GraphTensor:
    """A parameter, buffer or constant that nodes refer to by ``name``; a tied one is there once, with all its paths."""

    name: str
    paths: List[str]
    role: str
    """"parameter", "buffer" or "constant"; what constants hold is in the file that came with the graph, by name."""
    array: GraphArray


@dataclass
class GraphModule:
    """A module of the network: where it is, what it is, and what its code says of itself."""

    path: str
    kind: str
    """Its class with the module that it is defined in: "torch.nn.modules.conv.Conv2d"."""
    container: str
    """"sequence" for what calls its children one after the other and nothing else, else empty."""
    parameters: List[str]
    """The names of what it is called with."""
    settings: Dict[str, Any]
    """Its attributes that are numbers, texts or None."""
    summary: str = ""
    """The first line of what its class says of itself, where that is the user's."""


@dataclass
class GraphPlace:
    """A statement in the code of a module: where it stands, its text, and the names that it gives values to."""

    file: str
    line: int
    text: str
    names: List[str]


@dataclass
class GraphCall:
    """One call of a module, inside another call; ``number`` tells calls of the same module apart."""

    module: str
    number: int


@dataclass
class GraphNode:
    """An operation: its arguments, what it gives, and in which calls of modules it was met, the outermost first."""

    name: str
    operation: str
    arguments: List[Any]
    keywords: Dict[str, Any]
    results: List[GraphArray]
    several: bool
    """Whether it gives a list of arrays, of which other nodes take theirs."""
    calls: List[GraphCall]
    places: List[int]
    """For each of ``calls``, the statement in its code that is running, as an index; -1 where it isn't known."""


@dataclass
class NetworkGraph:
    """The network in evaluation mode."""

    batch: int
    inputs: List[GraphInput]
    tensors: List[GraphTensor]
    modules: List[GraphModule]
    places: List[GraphPlace]
    nodes: List[GraphNode]
    outputs: Any
    """What the network gives: an argument, or lists and objects of such by position or key."""
    refused: str
    """Why there is no graph, in a sentence; then all else is empty."""
