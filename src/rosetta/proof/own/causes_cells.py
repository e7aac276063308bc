"""What an LSTM, GRU or plain recurrent cell does otherwise: computed step by step, in the ways that are met."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from rosetta.proof.own.search import Array, Way

_GATES = {"lstm": "ifgo", "gru": "rzn"}
_SIGMOIDS = {
    "sigmoid": expit,
    "hard sigmoid of x / 6 + 0.5": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard sigmoid of 0.2 x + 0.5": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "tanh": np.tanh,
}
_TANHS = {
    "tanh": np.tanh,
    "ReLU": lambda x: np.maximum(x, 0),
    "sigmoid": expit,
    "nothing": lambda x: x,
}
_BIASES: Mapping[str, tuple[float, float]] = {
    "both": (1, 1),
    "the input's alone": (1, 0),
    "the state's alone": (0, 1),
    "the input's twice": (2, 0),
    "the state's twice": (0, 2),
    "both, twice": (2, 2),
    "none": (0, 0),
}
_FORGET = {"no more": 0.0, "1 more": 1.0}


@dataclass(frozen=True)
class CellWeights:
    """A recurrent cell of one layer and direction; matrices (gates · features, inputs or features)."""

    family: str
    """"lstm" or "gru"."""
    of_input: Array
    of_state: Array
    bias_input: Array
    bias_state: Array


def cell_of(tensors: Mapping[str, Array]) -> CellWeights | None:
    """Return the cell that a module's tensors make; None where they are another's, or more than one.

    The tensors' names are what they are of it: "lstm i,f,g,o x", and of the two biases the second's ends with a prime.
    """
    for family, gates in _GATES.items():
        told = ",".join(gates)
        names = [f"{family} {told} {column}" for column in "xh"]
        bias = f"{family} {told}"
        second = f"{bias}'" if family == "lstm" else f"{family} r,z,hn"
        if not all(name in tensors for name in names) or len(tensors) not in (2, 4):
            continue
        x, h = (tensors[name] for name in names)
        none = np.zeros(len(x))
        if h.shape[0] == x.shape[0] == len(gates) * h.shape[1]:
            return CellWeights(family, x, h, tensors.get(bias, none), tensors.get(second, none))
    return None


def cell_choices(cell: CellWeights) -> dict[str, Sequence[str]]:
    """Return the ways in which such a cell is computed, the usual ones first."""
    gates = _GATES[cell.family]
    orders = ["".join(order) for order in itertools.permutations(gates)]
    found: dict[str, Sequence[str]] = {
        "the gates": orders,
        "the gates' function": list(_SIGMOIDS),
        "the activation": list(_TANHS),
        "biases:": list(_BIASES) if cell.bias_state.any() else ["both", "none"],
        "time": ["forwards", "backwards", "backwards, turned round again", "over axis 0"],
    }
    if cell.family == "lstm":
        found["the output's activation"] = ["the same", *_TANHS]
        found["the forget gate's bias"] = list(_FORGET)
        found["it gives"] = ["the state h", "the memory c"]
        found["the memory"] = ["f c + i g", "f c + (1 - f) g", "c + i g"]
    else:
        found["the reset gate"] = ["after the matrix", "before the matrix"]
        found["the state"] = ["(1 - z) n + z h", "z n + (1 - z) h"]
    return found


def first_choices(cell: CellWeights) -> dict[str, Sequence[str]]:
    """Return the ways that a standard may have: a framework's own."""
    return {question: answers[:1] for question, answers in cell_choices(cell).items()}


def computed_cell(cell: CellWeights, x: Array, way: Way) -> Array | None:
    """Return the states of all steps, (batch, steps, features), of inputs (batch, steps, inputs)."""
    if x.ndim != 3 or x.shape[2] != cell.of_input.shape[1]:
        return None
    when = way["time"]
    if when == "over axis 0":
        x = x.swapaxes(0, 1)
    elif when != "forwards":
        x = x[:, ::-1]
    features = cell.of_state.shape[1]
    one, two = _BIASES[way["biases:"]]
    given = x @ cell.of_input.T + one * cell.bias_input
    of_state, bias = cell.of_state.T, two * cell.bias_state
    gates = _GATES[cell.family]
    places = {gate: slice(n * features, (n + 1) * features) for n, gate in enumerate(way["the gates"])}
    assert set(places) == set(gates)
    step = _lstm if cell.family == "lstm" else _gru
    h = c = np.zeros((len(x), features))
    steps = []
    for t in range(x.shape[1]):
        h, c = step(given[:, t], h, c, of_state, bias, places, way)
        steps.append(c if way.get("it gives") == "the memory c" else h)
    found = np.stack(steps, 1)
    if when == "over axis 0":
        return found.swapaxes(0, 1)
    return found[:, ::-1] if when.endswith("again") else found


def _lstm(
    x: Array, h: Array, c: Array, matrix: Array, bias: Array, places: Mapping[str, slice], way: Way
) -> tuple[Array, Array]:
    gates, activation = _SIGMOIDS[way["the gates' function"]], _TANHS[way["the activation"]]
    all_ = x + h @ matrix + bias
    i, o = (gates(all_[:, places[gate]]) for gate in "io")
    f = gates(all_[:, places["f"]] + _FORGET[way["the forget gate's bias"]])
    g = activation(all_[:, places["g"]])
    kept, taken = {"f c + i g": (f, i), "f c + (1 - f) g": (f, 1 - f), "c + i g": (1.0, i)}[way["the memory"]]
    c = kept * c + taken * g
    of_output = way["the output's activation"]
    return o * (activation if of_output == "the same" else _TANHS[of_output])(c), c


def _gru(
    x: Array, h: Array, c: Array, matrix: Array, bias: Array, places: Mapping[str, slice], way: Way
) -> tuple[Array, Array]:
    gates, activation = _SIGMOIDS[way["the gates' function"]], _TANHS[way["the activation"]]
    of_state = h @ matrix + bias
    r, z = (gates(x[:, places[gate]] + of_state[:, places[gate]]) for gate in "rz")
    at = places["n"]
    if way["the reset gate"] == "after the matrix":
        n = activation(x[:, at] + r * of_state[:, at])
    else:
        n = activation(x[:, at] + (r * h) @ matrix[:, at] + bias[at])
    if way["the state"] == "z n + (1 - z) h":
        z = 1 - z
    return (1 - z) * n + z * h, c
