"""What every contender must do, each a test; all of them with one pair of worker processes."""

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from rosetta.contenders.contender import parse_contender
from rosetta.contenders.manifest import frameworks, reference
from rosetta.contract.pair import SEED, Pair
from rosetta.environments.client import Arrays
from rosetta.models.convert import lines_to_load, own_content
from rosetta.models.importing import load_own_content
from rosetta.proof.errors import worst
from rosetta.record.result import Equivalence
from rosetta.workloads import find_workload

# Of each list the first that the contender implements is taken.
WITH_DROPOUT = ("mnist_mlp", "babi_rnn[qa4]", "mnist_cnn")
WITH_CONVOLUTIONS = ("cifar10_keras_cnn", "mnist_cnn", "cifar10_cnn")
# In batches of so many samples, for what is proven is the same and takes half the time:
FEW = 8
RELOADED = ("mnist_cnn", "mnist_mlp")
RESUMED = ("babi_rnn[qa4]", "mnist_mlp")
# Of the following all. One is trained by RMSprop and one by Adam, in batches whose size isn't theirs:
BATCH_SIZES = {"mnist_mlp": 32, "babi_rnn[qa4]": 16}
# a batch normalisation with its running statistics, LSTMs, and a GRU with a large embedding.
IN_OWN_FORM = ("babi_rnn[qa4]", "cifar10_tpu_cnn", "imdb_gru")
STEPS = 3
UNFILLED = re.compile(r"\{(file|workload|,? ?options)\}|, \)")


class Contract:
    """The tests; a subclass says by ``pytest_generate_tests`` for which contenders, with the scope of the class."""

    whole: ClassVar[bool] = False
    """Whether what a contender lacks is a failure; where it isn't, the test is skipped with the reason."""

    @pytest.fixture(scope="class")
    @classmethod
    def pair(
        cls, contender: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Pair]:
        """Two workers of the contender, which live as long as its tests."""
        known = frameworks(request.config.getoption("frameworks", default=[]))
        with Pair(parse_contender(contender, known), reference(), tmp_path_factory.mktemp("contract")) as pair:
            yield pair

    def test_a_network_with_dropout_is_the_same(self, pair: Pair) -> None:
        """Prove it, as ``rosetta verify`` does."""
        assert_same(pair.prove(pair.prepared(self._chosen(pair, WITH_DROPOUT))))

    def test_in_batches_of_another_size_it_is_the_same(self, pair: Pair) -> None:
        """Train as ``rosetta train --batch-size`` does: an ε that hangs on the number of samples shows here."""
        for name in self._all(pair, BATCH_SIZES):
            found = pair.compare_update(pair.prepared(name, BATCH_SIZES[name]))
            assert found.error is not None and found.error <= found.tolerance, f"{name}: {found}"

    def test_a_network_with_convolutions_is_the_same(self, pair: Pair) -> None:
        """Prove it, as ``rosetta verify`` does."""
        assert_same(pair.prove(pair.prepared(self._chosen(pair, WITH_CONVOLUTIONS), FEW)))

    def test_the_last_weights_predict(self, pair: Pair) -> None:
        """Load weights in place of others, after a prediction with those: some libraries keep a form of their own."""
        prepared = pair.prepared(self._chosen(pair, RELOADED))
        workload, client = prepared.workload, pair.first
        images = np.random.default_rng(0).random((32, *workload.inputs[0].shape), np.float32)
        first, second = workload.initial_parameters(1), workload.initial_parameters(2)
        client.open(workload, None, seed=SEED, batch_size=len(images) * pair.contender.replicas)
        outputs = []
        for parameters in (first, second, first):
            client.load_parameters(parameters)
            outputs.append(client.outputs([images]))
        for found, parameters in zip(outputs, (first, second, first), strict=True):
            np.testing.assert_allclose(found, forward(parameters, images), rtol=1e-4, atol=1e-5)

    def test_another_process_goes_on_with_the_same_steps(self, pair: Pair) -> None:
        """Train some steps, and then some more: in one call; in a second process in two; there without the state."""
        prepared = pair.prepared(self._chosen(pair, RESUMED))
        one, other = pair.first, pair.second
        pair.open(one, prepared)
        if missing := {"reseed", "optimizer_state", "load_optimizer_state"} - one.abilities():
            self._lacks(pair, f"its trainer has no {' and no '.join(sorted(missing))}")
        one.load_parameters(prepared.parameters)
        one.train(0, STEPS)
        parameters, state = one.parameters(), one.optimizer_state()
        one.reseed(7)
        one.train(STEPS, STEPS)
        whole = one.parameters()
        pair.open(other, prepared)
        found = []
        for loaded, seed in ((state, 7), ({}, 7), (state, 8)):
            other.load_parameters(parameters)
            if loaded:
                other.load_optimizer_state(loaded)
            other.reseed(seed)
            other.train(STEPS, 1)
            other.train(STEPS + 1, STEPS - 1)
            found.append(other.parameters())
        same, without_state, other_seed = (worst(after, whole, 0.0).error for after in found)
        assert same is not None and same < 1e-6
        assert without_state is not None and without_state > 1e-4, "the optimiser's state changes nothing"
        assert other_seed is not None and other_seed > 1e-4, "dropout's seed changes nothing"

    def test_weights_come_back_from_its_own_form(self, pair: Pair, tmp_path: Path) -> None:
        """Write a file as the framework's users do, by one process, and read it by the other."""
        contender = pair.contender
        forms = contender.framework.weights
        if not forms:
            pytest.skip(f"{contender.framework.title} has no form of weights of its own here")
        for name in self._all(pair, IN_OWN_FORM):
            prepared = pair.prepared(name)
            workload = prepared.workload
            random = np.random.default_rng(1)  # no two parameters alike, so that none can be taken for another
            given = {p.name: random.uniform(0.5, 1.5, p.shape).astype(np.float32) for p in workload.parameters}
            pair.open(pair.first, prepared)
            pair.first.load_parameters(given)
            pair.open(pair.second, prepared)
            for suffix in forms:
                file = tmp_path / f"{workload.module}{suffix}"
                file.write_bytes(own_content(pair.first, suffix))
                for by_itself in (False, True) if suffix != ".safetensors" else (False,):
                    pair.second.load_parameters(prepared.parameters)  # so that nothing is left from the form before
                    if by_itself:
                        pair.second.load_own_file(suffix, file.read_bytes())
                    else:
                        load_own_content(pair.second, suffix, workload, file, contender.framework)
                    back = pair.second.parameters()
                    assert back.keys() == given.keys()
                    for parameter, value in given.items():
                        assert np.array_equal(back[parameter], value), f"{name}, {suffix}, {by_itself=}: {parameter}"
                lines = "".join(lines_to_load(contender, suffix, workload, file))
                assert repr(str(file)) in lines
                assert not UNFILLED.search(lines), "a word between braces isn't filled in"

    def _chosen(self, pair: Pair, names: Sequence[str]) -> str:
        """Return the first workload that the contender implements."""
        reasons = {name: pair.contender.why_not(find_workload(name).module) for name in names}
        for name, reason in reasons.items():
            if not reason:
                return name
            if self.whole:
                break
        self._lacks(pair, " ".join(filter(None, reasons.values())))
        raise AssertionError("unreachable")

    def _all(self, pair: Pair, names: Collection[str]) -> list[str]:
        """Return those of the workloads that the contender implements."""
        found = [name for name in names if not pair.contender.why_not(find_workload(name).module)]
        if not found or (self.whole and len(found) < len(names)):
            self._lacks(pair, f"it implements {', '.join(found) or 'none'} of {', '.join(names)}")
        return found

    def _lacks(self, pair: Pair, what: str) -> None:
        if self.whole:
            pytest.fail(f"{pair.contender.name}: {what}")
        pytest.skip(f"{pair.contender.name}: {what}")


def assert_same(proof: Equivalence) -> None:
    """Fail with what is off, and by how much."""
    checks = [proof.logits, proof.loss, proof.gradients, proof.update]
    wrong = [
        f"{check.tensor}: {check.error} is more than {check.tolerance}"
        for check in checks
        if check is not None and not check.holds
    ]
    wrong += [
        f"{check.name}: {check.error} is more than {check.tolerance}" for check in proof.further if not check.holds
    ]
    if proof.dropout and not proof.dropout.passed:
        wrong.append(f"dropout: {proof.dropout}")
    assert proof.passed and not wrong, "; ".join(wrong)


def forward(parameters: Arrays, images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a network's logits in plain NumPy, float64: two 3 × 3 convolutions and pooling, if any; dense layers."""
    p = {name: value.astype(np.float64) for name, value in parameters.items()}

    def convolution(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        patches = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
        sums = np.einsum("nchwij,ocij->nohw", patches, p[f"{name}.weight"], optimize=True)
        return np.asarray(np.maximum(sums + p[f"{name}.bias"][:, None, None], 0))

    x = images.astype(np.float64)
    if "conv1.weight" in p:
        x = convolution(convolution(x, "conv1"), "conv2")
        x = x.reshape(len(x), 64, 12, 2, 12, 2).max(axis=(3, 5))
    x = x.reshape(len(x), -1)
    dense = sorted(name for name in p if name.startswith("dense") and name.endswith("weight"))
    for weight in dense:
        x = x @ p[weight].T + p[weight.replace("weight", "bias")]
        if weight != dense[-1]:
            x = np.maximum(x, 0)
    return x
