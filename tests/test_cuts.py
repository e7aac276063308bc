"""Parameters that are cut differently on both sides are paired: gates, projections, heads, biases, copies."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.client import Calculated
from rosetta.errors import RosettaError
from rosetta.proof.own.cuts import Piece
from rosetta.proof.own.judge import MODES, Standard, judge
from rosetta.proof.own.pairing import Pairing
from rosetta.proof.own.pairs_file import as_recorded, cuts_as_recorded, given_pairing, read_pairs, write_pairs
from rosetta.proof.own.proposals import proposals
from rosetta.proof.own.settle import settle
from rosetta.record.check import PortCheck
from rosetta.report.check import cut_words
from rosetta_worker.messages import OwnTensor

Arrays = Mapping[str, np.ndarray]
STEPS, INPUTS, STATE = 4, 3, 5
RANDOM = np.random.default_rng(1)
X = RANDOM.standard_normal((STEPS, INPUTS))


def tensor(path: str, shape: str, parts: str = "", layout: str = "", kind: str = "") -> OwnTensor:
    cell = path.rpartition("/")[0] if parts else ""
    return OwnTensor(path, [int(n) for n in shape.split("x")], "", "parameter", kind, layout, True, cell, parts)


def values_of(tensors: list[OwnTensor], seed: int = 1) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {t.path: random.standard_normal(t.shape).astype(np.float32) for t in tensors}


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm(x: np.ndarray, w: np.ndarray, u: np.ndarray, b: np.ndarray, gates: str = "ifgo") -> np.ndarray:
    """Run an LSTM on (steps, inputs) with w (4H, inputs), u (4H, H), b (4H), in this order of gates."""
    h = c = np.zeros(u.shape[1])
    found = []
    for step in x:
        of = dict(zip(gates, np.split(w @ step + u @ h + b, 4), strict=True))
        c = sigmoid(of["f"]) * c + sigmoid(of["i"]) * np.tanh(of["g"])
        h = sigmoid(of["o"]) * np.tanh(c)
        found.append(h)
    return np.array(found)


def gru(x: np.ndarray, w: np.ndarray, u: np.ndarray, b: np.ndarray, d: np.ndarray, gates: str = "rzn") -> np.ndarray:
    h = np.zeros(u.shape[1])
    found = []
    for step in x:
        one, two = (dict(zip(gates, np.split(y, 3), strict=True)) for y in (w @ step + b, u @ h + d))
        r, z = (sigmoid(one[g] + two[g]) for g in "rz")
        h = (1 - z) * np.tanh(one["n"] + r * two["n"]) + z * h
        found.append(h)
    return np.array(found)


def attention(x: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray, out: np.ndarray, heads: int) -> np.ndarray:
    """Attend with q, k, v of (steps, features)."""
    found = []
    for one in range(heads):
        at = slice(one * q.shape[1] // heads, (one + 1) * q.shape[1] // heads)
        powers = np.exp(q[:, at] @ k[:, at].T)
        found.append(powers / powers.sum(1, keepdims=True) @ v[:, at])
    return np.concatenate(found, 1) @ out.T


def torch_cell(family: str, n: int, path: str = "cell", inputs: int = INPUTS, told: bool = True) -> list[OwnTensor]:
    """Describe a recurrent cell as PyTorch has it; ``told`` is whether its class tells its parts."""
    gates = {"lstm": "i,f,g,o", "gru": "r,z,n"}[family]
    state = "r,z,hn" if family == "gru" else gates
    parts = [f"{family} {gates} x", f"{family} {gates} h", f"{family} {gates}", f"{family} {state}"]
    shapes = [f"{n * STATE}x{inputs}", f"{n * STATE}x{STATE}", f"{n * STATE}", f"{n * STATE}"]
    names = ["w", "u", "b", "d"]
    return [
        tensor(f"{path}/{name}", shape, one if told else "", ("OI" if "x" in shape else "O") if told else "")
        for name, shape, one in zip(names, shapes, parts, strict=True)
    ]


def settled(
    mine: list[OwnTensor],
    other: list[OwnTensor],
    standard: Callable[[Arrays], np.ndarray],
    port: Callable[[Arrays], np.ndarray],
    trials: int = 200,
) -> tuple[Pairing, float, int]:
    """Return the pairing that is settled on for two networks in NumPy, its error, and how many were tried."""
    values = values_of(mine)
    expected = standard(values)

    def error(pairing: Pairing) -> float:
        found = port(pairing.carry(values))
        return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))

    settled = settle(proposals(mine, other, values, values_of(other, 2)), error, 1e-6, [], trials)
    pairing = settled.pairing
    assert {t.path for t in mine} == {p.standard.path for p in pairing.pairs} | {
        piece.tensor.path for cut in pairing.cuts for piece in cut.standard
    }
    check_adjoint(pairing, values)
    return pairing, error(pairing), settled.tried


def check_adjoint(pairing: Pairing, values: Arrays) -> None:
    """Hold the gradients' way back against differences: <carried move, port's gradient> is what the scalar moves by."""
    random = np.random.default_rng(3)
    moves = {path: random.standard_normal(array.shape) for path, array in values.items()}
    for cut in pairing.cuts:
        carried = cut.carry(moves)
        blocks: dict[Any, np.ndarray] = {}
        gradients = {}
        for piece in cut.port:
            some = [blocks.setdefault(k, random.standard_normal(piece.sizes[k])) for k in piece.keys]
            gradients[piece.tensor.path] = piece.joined(some)
        moved = sum(float((carried[path] * gradients[path]).sum()) for path in carried)
        for several in cut.gradients(gradients).values():  # of two summands they are equal: that of the sum
            assert all(np.array_equal(several[0], array) for array in several)
        back = sum(float((moves[path] * some[0]).sum()) for path, some in cut.gradients(gradients).items())
        assert moved == pytest.approx(back, rel=1e-9)


def of_lstm(values: Arrays, path: str = "cell", x: np.ndarray = X) -> np.ndarray:
    w, u, b, d = (values[f"{path}/{name}"].astype(float) for name in "wubd")
    return lstm(x, w, u, b + d)


FLAX = [tensor(f"c/{of}{gate}", f"{n}x{STATE}", f"lstm {gate} {'x' if of == 'i' else 'h'}", "IO", "dense_weight")
        for of, n in (("i", INPUTS), ("h", STATE)) for gate in "fgio"]  # fmt: skip
FLAX += [tensor(f"c/b{gate}", f"{STATE}", f"lstm {gate}", "O", "bias") for gate in "fgio"]


def test_an_lstms_tensors_for_each_gate_are_the_fused_ones() -> None:
    def port(values: Arrays) -> np.ndarray:
        w, u = (np.concatenate([values[f"c/{of}{gate}"].T for gate in "ifgo"]) for of in "ih")
        return lstm(X, w, u, np.concatenate([values[f"c/b{gate}"] for gate in "ifgo"]))

    pairing, error, tried = settled(torch_cell("lstm", 4), FLAX, of_lstm, port)
    assert error < 1e-12 and tried == 1 and not pairing.pairs and pairing.how == "order"
    words = [cut_words(cut) for cut in cuts_as_recorded(pairing)]
    assert words == [
        "cell/w → c/if, c/ig, c/ii, c/io: i,f,g,o → f,g,i,o",
        "cell/u → c/hf, c/hg, c/hi, c/ho: i,f,g,o → f,g,i,o",
        "cell/b + cell/d → c/bf, c/bg, c/bi, c/bo: i,f,g,o → f,g,i,o",
    ]
    back, error, tried = settled(
        FLAX, torch_cell("lstm", 4), port, lambda v: of_lstm({p: np.asarray(a) for p, a in v.items()})
    )
    assert error < 1e-12 and tried == 1
    assert back.cuts[2].summed == (False, True)


@pytest.mark.parametrize("gates", ["ifgo", "ifog", "gofi"])
@pytest.mark.parametrize("square", [False, True])
def test_an_own_cells_gates_are_found_in_their_order(gates: str, square: bool) -> None:
    """Inputs first, one bias, as Keras has them; square, nothing but the outputs says which way round it is."""
    inputs = STATE if square else INPUTS
    x = RANDOM.standard_normal((STEPS, inputs))
    other = [tensor("k", f"{inputs}x{4 * STATE}"), tensor("r", f"{STATE}x{4 * STATE}"), tensor("b", f"{4 * STATE}")]
    pairing, error, tried = settled(
        torch_cell("lstm", 4, inputs=inputs),
        other,
        lambda values: of_lstm(values, x=x),
        lambda values: lstm(x, values["k"].T, values["r"].T, values["b"], gates),
    )
    assert error < 1e-12 and tried <= 30
    words = [cut_words(cut) for cut in cuts_as_recorded(pairing)]
    told = "i,f,g,o" if gates == "ifgo" else f"i,f,g,o → {','.join(gates)}"
    assert words[-1] == f"cell/b + cell/d → b: {told}"


@pytest.mark.parametrize("first", ["xh", "hx"])
@pytest.mark.parametrize("apart", [False, True])
def test_an_own_cell_may_have_inputs_and_state_in_one_matrix(first: str, apart: bool) -> None:
    gates = "iofg"
    other = (
        [t for gate in gates for t in (tensor(f"{gate}w", f"{INPUTS + STATE}x{STATE}"), tensor(f"{gate}b", f"{STATE}"))]
        if apart
        else [tensor("w", f"{INPUTS + STATE}x{4 * STATE}"), tensor("b", f"{4 * STATE}")]
    )

    def port(values: Arrays) -> np.ndarray:
        if apart:
            whole = np.concatenate([values[f"{gate}w"] for gate in gates], 1)
            bias = np.concatenate([values[f"{gate}b"] for gate in gates])
        else:
            whole, bias = values["w"], values["b"]
        w, u = np.split(whole, [INPUTS]) if first == "xh" else np.split(whole, [STATE])[::-1]
        return lstm(X, w.T, u.T, bias, gates)

    _, error, tried = settled(torch_cell("lstm", 4), other, of_lstm, port)
    assert error < 1e-12 and tried <= 60


def test_layers_and_directions_go_by_their_order_and_all_in_one_order_of_gates() -> None:
    sizes = [INPUTS, INPUTS, 2 * STATE, 2 * STATE]
    mine = [t for n, size in enumerate(sizes) for t in torch_cell("lstm", 4, f"l{n}", size)]
    other = [t for n, size in enumerate(sizes)
             for t in (tensor(f"k{n}", f"{size}x{4 * STATE}"), tensor(f"r{n}", f"{STATE}x{4 * STATE}"),
                       tensor(f"b{n}", f"{4 * STATE}"))]  # fmt: skip

    def both(run: Callable[[int, np.ndarray], np.ndarray]) -> np.ndarray:
        y = np.concatenate([run(0, X), run(1, X[::-1])[::-1]], 1)
        return np.concatenate([run(2, y), run(3, y[::-1])[::-1]], 1)

    pairing, error, tried = settled(
        mine,
        other,
        lambda v: both(lambda n, x: of_lstm(v, f"l{n}", x)),
        lambda v: both(lambda n, x: lstm(x, v[f"k{n}"].T, v[f"r{n}"].T, v[f"b{n}"], "ifog")),
    )
    assert error < 1e-12 and tried <= 30 and len(pairing.cuts) == 12


def test_where_both_classes_tell_their_gates_no_other_order_is_tried() -> None:
    mine = torch_cell("lstm", 4)
    other = [tensor("c/k", f"{INPUTS}x{4 * STATE}", "lstm i,f,g,o x", "IO"),
             tensor("c/r", f"{STATE}x{4 * STATE}", "lstm i,f,g,o h", "IO"),
             tensor("c/b", f"{4 * STATE}", "lstm i,f,g,o", "O")]  # fmt: skip
    orders = {"ifgo": True, "ifog": False}
    for gates, same in orders.items():
        run = lambda v, gates=gates: lstm(X, v["c/k"].T, v["c/r"].T, v["c/b"], gates)
        pairing, error, _ = settled(mine, other, of_lstm, run)
        assert (error < 1e-12) is same and (error > 0.1) is not same
        assert all(piece.rows == ("i", "f", "g", "o") for cut in pairing.cuts for piece in cut.port)


def of_gru(values: Arrays) -> np.ndarray:
    w, u, b, d = (values[f"cell/{name}"].astype(float) for name in "wubd")
    return gru(X, w, u, b, d)


@pytest.mark.parametrize("form", ["one bias of two rows", "two biases", "for each gate", "told"])
def test_a_grus_biases_are_added_but_for_the_states_own(form: str) -> None:
    gates = "zrn"
    n = 3 * STATE
    other = [tensor("k", f"{INPUTS}x{n}"), tensor("r", f"{STATE}x{n}")]
    if form == "told":
        other = [tensor("c/k", f"{INPUTS}x{n}", "gru z,r,n x", "IO")]
        other += [tensor("c/r", f"{STATE}x{n}", "gru z,r,n h", "IO")]
        other += [tensor("c/b", f"2x{n}", "gru z,r,n,z,r,hn")]
    elif form == "for each gate":
        other = [tensor(f"{of}{g}", f"{size}x{STATE}") for of, size in (("k", INPUTS), ("r", STATE)) for g in gates]
        other += [tensor(f"b{g}", f"{STATE}") for g in gates] + [tensor("d", f"{STATE}")]
    else:
        other += [tensor("b", f"2x{n}")] if form.startswith("one") else [tensor(f"b{i}", f"{n}") for i in range(2)]

    def port(v: Arrays) -> np.ndarray:
        if form == "for each gate":
            w, u = (np.concatenate([v[f"{of}{g}"].T for g in gates]) for of in "kr")
            bias, own = (np.concatenate([v[f"b{g}"] for g in gates]), np.pad(v["d"], (2 * STATE, 0)))
            return gru(X, w, u, bias, own, gates)
        k, r = (v.get(name, v.get(f"c/{name}")).T for name in "kr")
        b = v.get("b", v.get("c/b"))
        one, two = b if b is not None else (v["b0"], v["b1"])
        return gru(X, k, r, one, two, gates)

    pairing, error, tried = settled(torch_cell("gru", 3), other, of_gru, port)
    assert error < 1e-12 and tried <= 12, [cut_words(cut) for cut in cuts_as_recorded(pairing)]
    assert form != "told" or tried == 1


def test_what_the_other_has_no_place_for_is_named() -> None:
    other = [tensor("c/k", "3x15", "gru r,z,n x", "IO"), tensor("c/r", "5x15", "gru r,z,n h", "IO"),
             tensor("c/b", "15", "gru r,z,n", "O")]  # fmt: skip
    with pytest.raises(RosettaError, match="the port has no place for the bias hn of cell/d"):
        next(proposals(torch_cell("gru", 3), other, values_of(torch_cell("gru", 3)), values_of(other)))
    with pytest.raises(RosettaError, match="the standard has no place for the bias hn of cell/d"):
        next(proposals(other, torch_cell("gru", 3), values_of(other), values_of(torch_cell("gru", 3))))
    lacking = torch_cell("lstm", 4)
    other = [tensor("k", f"{INPUTS}x{4 * STATE}"), tensor("b", f"{4 * STATE}")]
    with pytest.raises(RosettaError, match="The standard alone has "):
        next(proposals(lacking, other, values_of(lacking), values_of(other)))


HEADS, E = 2, 6
XA = RANDOM.standard_normal((STEPS, E))
TORCH_ATTENTION = [tensor("a/in", f"{3 * E}x{E}", "attention q,k,v x", "OI"),
                   tensor("a/b", f"{3 * E}", "attention q,k,v", "O"),
                   tensor("a/out", f"{E}x{E}", "attention out o", "OI", "dense_weight"),
                   tensor("a/c", f"{E}", "attention out", "O", "bias")]  # fmt: skip
LINEAR_ATTENTION = [t for n in "qkvo" for t in (tensor(f"{n}.w", f"{E}x{E}", "", "OI", "dense_weight"),
                                                tensor(f"{n}.b", f"{E}", "", "O", "bias"))]  # fmt: skip
FUSED_ATTENTION = [tensor("qkv.w", f"{3 * E}x{E}", "", "OI", "dense_weight"),
                   tensor("qkv.b", f"{3 * E}", "", "O", "bias"), *LINEAR_ATTENTION[-2:]]  # fmt: skip
SPLIT = f"{HEADS}x{E // HEADS}"
FLAX_ATTENTION = [t for n in "kqv" for t in (tensor(f"f/{n}", f"{E}x{SPLIT}", f"attention {n} x", "Ihd"),
                                             tensor(f"f/{n}b", SPLIT, f"attention {n}", "hd"))]  # fmt: skip
FLAX_ATTENTION += [tensor("f/out", f"{SPLIT}x{E}", "attention out o", "hdO"),
                   tensor("f/c", f"{E}", "attention out", "O")]  # fmt: skip


def of_torch(v: Arrays) -> np.ndarray:
    q, k, v_ = np.split(XA @ v["a/in"].T + v["a/b"], 3, 1)
    return attention(XA, q, k, v_, v["a/out"], HEADS) + v["a/c"]


def of_linear(v: Arrays) -> np.ndarray:
    q, k, v_ = (XA @ v[f"{n}.w"].T + v[f"{n}.b"] for n in "qkv")
    return attention(XA, q, k, v_, v["o.w"], HEADS) + v["o.b"]


def of_flax(v: Arrays) -> np.ndarray:
    q, k, v_ = (np.einsum("ti,ihd->thd", XA, v[f"f/{n}"]) + v[f"f/{n}b"] for n in "qkv")
    q, k, v_ = (a.reshape(STEPS, E) for a in (q, k, v_))
    return attention(XA, q, k, v_, v["f/out"].reshape(E, E).T, HEADS) + v["f/c"]


def of_fused(order: str) -> Callable[[Arrays], np.ndarray]:
    """Return an attention with one projection whose outputs are in this order: of n (the projection), h and d."""
    sizes = {"n": 3, "h": HEADS, "d": E // HEADS}

    def run(v: Arrays) -> np.ndarray:
        y = (XA @ v["qkv.w"].T + v["qkv.b"]).reshape(STEPS, *(sizes[letter] for letter in order))
        q, k, v_ = np.einsum(f"t{order}->nthd", y).reshape(3, STEPS, E)
        return attention(XA, q, k, v_, v["o.w"], HEADS) + v["o.b"]

    return run


ATTENTIONS = {
    "torch": (TORCH_ATTENTION, of_torch),
    "linear": (LINEAR_ATTENTION, of_linear),
    "flax": (FLAX_ATTENTION, of_flax),
    **{order: (FUSED_ATTENTION, of_fused(order)) for order in ("nhd", "hnd", "hdn")},
}


@pytest.mark.parametrize("mine", ATTENTIONS)
@pytest.mark.parametrize("other", ATTENTIONS)
def test_projections_may_be_three_or_one_and_their_heads_in_any_order(mine: str, other: str) -> None:
    (tensors, run), (others, run_other) = ATTENTIONS[mine], ATTENTIONS[other]
    renamed = [OwnTensor(**{**vars(t), "path": "p." + t.path, "cell": t.cell and "p"}) for t in others]
    pairing, error, tried = settled(
        tensors, renamed, run, lambda v: run_other({path.removeprefix("p."): array for path, array in v.items()})
    )
    words = [cut_words(cut) for cut in cuts_as_recorded(pairing)]
    assert error < 1e-6 and tried <= 200, words
    if {mine, other} <= {"torch", "flax"}:
        assert tried == 1
    if (mine, other) == ("torch", "hnd"):
        assert words[0] == f"a/in → p.qkv.w: q,k,v → q,k,v in {HEADS} groups"


def test_one_tensor_may_be_two_of_the_ports_but_is_not_the_same_in_training() -> None:
    mine = [tensor("embed", "7x4", "", "VE", "embedding_weight"), tensor("w", "4x4", "", "OI", "dense_weight")]
    other = [tensor("e", "7x4", "", "VE", "embedding_weight"), tensor("k", "4x4", "", "IO", "dense_weight"),
             tensor("head", "4x7", "", "IO", "dense_weight")]  # fmt: skip
    run = lambda v: v["embed"] @ v["w"].T @ v["embed"].T
    pairing, error, _ = settled(mine, other, run, lambda v: v["e"] @ v["k"] @ v["head"])
    assert error == 0.0 and pairing.cuts[0].tied
    assert cut_words(cuts_as_recorded(pairing)[0]) == "embed → e and head, two copies of it"
    gradients = values_of(other, 5)
    back = pairing.cuts[0].gradients(gradients)["embed"]
    assert len(back) == 1 and np.array_equal(back[0], gradients["e"] + gradients["head"].T)
    whole = {"embed": back[0], "w": gradients["k"].T}
    runs = [{mode: Calculated({"output": X}, 1.0, some, {}, []) for mode in MODES} for some in (whole, gradients)]
    quantities = judge(Standard(runs[0], [runs[0]], {}), runs[1], runs[1], pairing, Tolerances())
    wrong = [q for q in quantities if q.verdict != "the same"]
    assert [(q.name, q.mode) for q in wrong] == [("embed", "training")]
    assert wrong[0].note == "the port has it twice, as e and head, and trains each by itself"
    # The other way round two values can't be one.
    with pytest.raises(RosettaError, match="can't be paired"):
        next(proposals(other, mine, values_of(other), values_of(mine)))


def test_two_biases_may_be_one_where_no_class_tells() -> None:
    mine = [*torch_cell("lstm", 4, "a", told=False), *torch_cell("lstm", 4, "b", STATE, told=False)]
    other = [t for t in mine if not t.path.endswith("d")]

    def port(v: Arrays) -> np.ndarray:
        y = lstm(X, v["a/w"], v["a/u"], v["a/b"])
        return lstm(y, v["b/w"], v["b/u"], v["b/b"])

    standard = lambda v: of_lstm(v, "b", of_lstm(v, "a"))
    pairing, error, tried = settled(mine, other, standard, port)
    assert error < 1e-12 and tried <= 5 and len(pairing.cuts) == 2


def test_every_gradient_of_two_biases_has_to_be_that_of_the_one() -> None:
    """The second bias is there and isn't used: what it is given isn't zero, and its gradient is missing."""
    mine = [tensor("b", "3", "", "O", "bias")]
    other = [tensor("one", "3", "", "O", "bias"), tensor("two", "3", "", "O", "bias")]
    matrix = tensor("w", "3x2")
    given, found = ({**values_of(side), "w": np.ones((3, 2))} for side in (mine, other))
    (pairing,) = proposals([*mine, matrix], [*other, matrix], given, found)
    carried = pairing.carry({"b": np.arange(1.0, 4.0)})
    assert np.array_equal(carried["one"] + carried["two"], np.arange(1.0, 4.0)) and carried["two"].all()
    gradient = {"b": np.ones(3), "w": np.ones((3, 2))}
    standard = {mode: Calculated({"output": X}, 1.0, gradient, {}, []) for mode in MODES}
    for second, same in ((np.ones(3), True), (np.zeros(3), False)):
        found = {"one": np.ones(3), "two": second, "w": np.ones((3, 2))}
        run = {mode: Calculated({"output": X}, 1.0, found, {}, []) for mode in MODES}
        quantities = judge(Standard(standard, [standard], {}), run, run, pairing, Tolerances())
        assert all(q.verdict == "the same" for q in quantities) is same


def test_cuts_come_back_from_their_file_and_odd_ones_are_refused(tmp_path: Path) -> None:
    mine, file = torch_cell("lstm", 4), tmp_path / "pairs.json"
    pairing = next(proposals(mine, FLAX, values_of(mine), values_of(FLAX)))
    told = PortCheck(network="p", contender="p", pairs=as_recorded(pairing), cuts=cuts_as_recorded(pairing))
    write_pairs(file, [told])
    given = read_pairs(file)["p"]
    assert given_pairing(given, mine, FLAX).cuts == pairing.cuts
    first = told.cuts[0]
    piece = first.standard_pieces[0]
    for change, said in (
        ({"tensor": "nowhere"}, "the standard has no nowhere"),
        ({"parts": ["i", "f", "g"]}, "can't be cut so"),
        ({"parts": []}, "can't be cut so"),
        ({"parts": ["i", "f", "g", "c"]}, "has no place for c of x"),
        ({"axes": [0, 0]}, "can't be cut so"),
        ({"outputs": 7}, "can't be cut so"),
        ({"groups": 0}, "can't be cut so"),
        ({"of": {"x": 0}}, "can't be cut so"),
        ({"of": {"x": 1, "h": 2}}, "i of x of .* is|has no place"),
        ({"tensor": "cell/u", "of": {"x": STATE}}, "i of x of c/if is|is there twice|elsewhere"),
    ):
        odd = first.model_copy(update={"standard_pieces": [piece.model_copy(update=change)]})
        with pytest.raises(RosettaError, match=said):
            given_pairing([odd, *told.cuts[1:]], mine, FLAX)
    with pytest.raises(RosettaError, match="nothing of the port is cut"):
        given_pairing([first.model_copy(update={"port_pieces": []})], mine, FLAX)


def test_what_is_cut_is_joined_again() -> None:
    for shape, axes, outputs, rows, columns, outer in (
        ((12, 5), (0, 1), 1, "abc", (("x", 2), ("h", 3)), 2),
        ((5, 2, 6), (1, 2, 0), 2, "ab", (("x", 5),), 3),
        ((2, 6), (0, 1), 2, "abcabd", (("", 1),), 1),
    ):
        piece = Piece(tensor("t", "x".join(map(str, shape))), axes, outputs, tuple(rows), columns, outer)
        array = RANDOM.standard_normal(shape)
        blocks = piece.cut(array)
        assert piece.fits and [block.shape for block in blocks] == [piece.sizes[key] for key in piece.keys]
        assert all(a is not b for a, b in pairwise(blocks)) and np.array_equal(piece.joined(blocks), array)
