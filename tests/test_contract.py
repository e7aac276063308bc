"""The contract of every contender there is: the current ones by default, all the others in the long tier."""

from pathlib import Path

import pytest

from rosetta.contenders.contender import DEFAULT_SET, contender_sets
from rosetta.contenders.manifest import frameworks
from rosetta.contract.contract import Contract
from rosetta.contract.pair import Pair

SETS = contender_sets(frameworks())
CURRENT = ("numpy", *SETS[DEFAULT_SET])
REPLICAS = (
    *("torch@2xcpu", "jax@2xcpu", "tensorflow@2xcpu", "chainer@2xcpu", "mxnet@2xcpu", "paddle@2xcpu"),
    *("keras[torch]@2xcpu", "keras[jax]@2xcpu", "keras[tensorflow]@2xcpu"),
)
OTHERS = [name for name in SETS["all"] if name not in CURRENT]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("contender", metafunc.cls.contenders, scope="class")


class TestCurrent(Contract):
    whole = True
    contenders = CURRENT

    # Compiled anew for each network, these two take half of all the contract's time.
    @pytest.mark.long
    def test_a_network_with_convolutions_is_the_same(self, pair: Pair) -> None:
        super().test_a_network_with_convolutions_is_the_same(pair)

    @pytest.mark.long
    def test_weights_come_back_from_its_own_form(self, pair: Pair, tmp_path: Path) -> None:
        super().test_weights_come_back_from_its_own_form(pair, tmp_path)

    @pytest.mark.long
    def test_batch_normalisation_is_the_same_with_room(self, pair: Pair) -> None:
        """The hardest proof: whatever rounds a little differently must not be taken for another network."""
        proof = pair.prove(pair.prepared("cifar10_tpu_cnn"))
        assert proof.passed, proof
        update = proof.update
        assert update is not None and update.error is not None and update.error < update.tolerance / 3


@pytest.mark.long
class TestOthers(Contract):
    whole = True
    contenders = OTHERS


@pytest.mark.long
class TestReplicas(Contract):
    """What a checkpoint of replicas needs; what else they do is the network's own, or in ``test_replicas.py``."""

    whole = True
    contenders = REPLICAS
    test_a_network_with_dropout_is_the_same = None
    test_a_network_with_convolutions_is_the_same = None
    test_in_batches_of_another_size_it_is_the_same = None
    test_the_last_weights_predict = None
    test_weights_come_back_from_its_own_form = None
