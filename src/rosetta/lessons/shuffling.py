"""Lesson 1, its other half: whole batches shuffled, or single samples."""

from rosetta.lessons.spec import Accuracy, Lesson, Preset, Side
from rosetta.workloads.spec import Order


def _shuffled(
    base: str, form: str, *orders: Order, epochs: int, effect: float, sd: float, preset: Preset
) -> tuple[Accuracy, ...]:
    """Compare other orders with samples shuffled; the fixed one is the same as that in its first epoch."""
    return tuple(
        Accuracy(
            f"{base}[{form}]",
            Side("torch"),
            Side("torch", workload=f"{base}[order={order},{form}]"),
            "less",
            effect=effect,
            sd=sd,
            epochs=epochs,
            published="ever so slightly less, without a figure",
            presets=(preset,),
        )
        for order in orders
    )


LESSON = Lesson(
    name="shuffling",
    number="1",
    claim="Shuffling whole batches in place of samples, as the frameworks' own iterators do, costs some accuracy.",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        *_shuffled("mnist_mlp", "samples=6400", "batches", epochs=8, effect=0.5, sd=0.4, preset="quick"),
        *_shuffled("mnist_cnn", "samples=3200", "batches", "fixed", epochs=4, effect=1.0, sd=0.86, preset="full"),
    ),
    meaning=(
        "Batches that stay together tell the network less from epoch to epoch, and a fixed order nothing new at all. "
        "Look whether your data pipeline shuffles samples: a small shuffle buffer, or shards read whole, come near to "
        "shuffling batches."
    ),
)
