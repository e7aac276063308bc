"""The two-branch LSTM on bAbI of the Keras back-end comparison."""

import dataclasses

from rosetta.datasets.babi import SIZES
from rosetta.errors import RosettaError, unknown
from rosetta.workloads.initialisers import uniform
from rosetta.workloads.layers import Dense, Embedding, Lstm, Repeat, Sum, dropout
from rosetta.workloads.spec import Input, Optimizer, Workload

_KERAS_UNIFORM = uniform(-0.05, 0.05)


def _workload(name: str, dataset: str) -> Workload:
    vocabulary, story, question = SIZES[dataset]
    return Workload(
        name=name,
        title="Two-branch LSTM on bAbI",
        source="Keras 2.0 example babi_rnn.py, as timed in the Keras back-end comparison (K80, 2017)",
        dataset=dataset,
        inputs=(Input("story", (story,), "tokens"), Input("question", (question,), "tokens")),
        layers=(
            Sum(
                (
                    (Embedding("story_embedding", vocabulary, 50, _KERAS_UNIFORM), dropout(0.3)),
                    (
                        Embedding("question_embedding", vocabulary, 50, _KERAS_UNIFORM),
                        dropout(0.3),
                        Lstm("question_lstm", 50, 50),
                        Repeat(story),
                    ),
                )
            ),
            Lstm("lstm", 50, 50),
            dropout(0.3),
            Dense("dense", 50, vocabulary),
        ),
        optimizer=Optimizer(
            "Adam",
            "m ← β₁·m + (1−β₁)·g;  v ← β₂·v + (1−β₂)·g²;  w ← w − lr·√(1−β₂ᵗ)/(1−β₁ᵗ) · m / (√v + ε)",
            {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
        ),
        batch_size=32,
        epochs=40,
        compared_after=320,
        held_out=0.05,
        implementation="babi_rnn",
        options={"vocabulary": vocabulary, "story_length": story},
        reached="37 % test accuracy on qa2 after 40 epochs, says the example",
    )


WORKLOAD = _workload("babi_rnn", "babi_qa2")


def variant(options: tuple[str, ...]) -> Workload:
    """Return the workload on another task, ``("qa5",)``, or on ten times as many stories, ``("qa1", "10k")``."""
    tasks = [option for option in options if option != "10k"] or ["qa2"]
    if len(tasks) > 1:
        raise RosettaError(f"babi_rnn takes one task, not {' and '.join(tasks)}.", "Write, say, babi_rnn[qa5].")
    suffix, kind = ("_10k", "bAbI task with 10,000 questions") if "10k" in options else ("", "bAbI task")
    known = [name for name in SIZES if name.endswith("_10k") == bool(suffix)]
    dataset = f"babi_{tasks[0]}{suffix}"
    if dataset not in known:
        raise unknown(kind, tasks[0], [name.removeprefix("babi_").removesuffix(suffix) for name in known])
    made = _workload(f"babi_rnn[{','.join(dataset.split('_')[1:])}]", dataset)
    return made if dataset == WORKLOAD.dataset else dataclasses.replace(made, reached="")
