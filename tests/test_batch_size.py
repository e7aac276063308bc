"""A training in batches of another size than the workload's, by ``rosetta train --batch-size``, is the same otherwise.

Constants that hang on the size are wrong for any other: an optimiser's ε where gradients are sums, for one.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from rosetta import datasets
from rosetta.contenders.contender import Contender, contender_sets, parse_contender
from rosetta.contenders.manifest import frameworks
from rosetta.environments.client import Arrays, Client
from rosetta.models.session import worker_session
from rosetta.paths import cache_folder, data_folder
from rosetta.proof.compare import worst
from rosetta.proof.dither import without_ties
from rosetta.proof.observe import observe_update, with_selected_batches
from rosetta.record.result import TensorError
from rosetta.workloads import find_workload
from rosetta.workloads.prepared import PreparedWorkload, prepare_workload
from rosetta.workloads.spec import Workload

KNOWN = frameworks()
SIZES = {"mnist_mlp": 32, "babi_rnn[qa4]": 16}
"""A network trained by RMSprop and one by Adam, and a batch size that isn't theirs."""


def in_batches_of(size: int, name: str, folder: Path) -> PreparedWorkload:
    """Prepare a workload with another batch size."""
    workload = find_workload(name)
    assert size != workload.batch_size
    dataset = datasets.prepare(workload.dataset, data_folder(None), cache_folder() / "data")
    return prepare_workload(dataclasses.replace(workload, batch_size=size), dataset, folder, seed=1)


class References:
    """What contenders are held against: the reference's update, on batches that it selects, by what they deviate in."""

    def __init__(self, folder: Path, sizes: dict[str, int]):
        self._prepared = {name: in_batches_of(size, name, folder) for name, size in sizes.items()}
        self._updates: dict[tuple[str, Sequence[str], bool], tuple[PreparedWorkload, Arrays]] = {}

    def workload(self, name: str) -> Workload:
        return self._prepared[name].workload

    def of(self, contender: Contender, name: str) -> tuple[PreparedWorkload, Arrays]:
        """Return the workload with well-conditioned batches and every parameter's change after the proof's steps."""
        prepared = self._prepared[name]
        deviation = contender.deviation(prepared.workload.module)
        variants = tuple(deviation.reference) if deviation else ()
        untied = deviation is not None and deviation.without_ties
        key = (name, variants, untied)
        if key not in self._updates:
            numpy = Contender(KNOWN["numpy"], variants=variants)
            with worker_session(numpy, prepared.workload, prepared.data) as client:
                file = "-".join([prepared.workload.module, *variants, str(untied)])
                selected, update = with_selected_batches(client, without_ties(prepared) if untied else prepared, file)
            self._updates[key] = selected, update
        return self._updates[key]


def error_of_update(client: Client, contender: Contender, prepared: PreparedWorkload, expected: Arrays) -> TensorError:
    """Return the parameter whose change by the proof's steps, dropout off, is farthest from the reference's."""
    return worst(observe_update(client, prepared), expected, contender.tolerances.update)


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> References:
    return References(tmp_path_factory.mktemp("references"), SIZES)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("contender", contender_sets(KNOWN)["all"])
def test_any_batch_size_is_the_same_optimiser(contender: str, references: References) -> None:
    parsed = parse_contender(contender, KNOWN)
    with worker_session(parsed, references.workload("mnist_mlp")) as client:  # one process for all
        for name in SIZES:
            prepared, expected = references.of(parsed, name)
            found = error_of_update(client, parsed, prepared, expected)
            assert found.error is not None and found.error <= found.tolerance, (name, found)
