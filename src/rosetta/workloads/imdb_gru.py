"""The GRU on IMDB reviews of the "Rosetta Stone" comparison."""

from rosetta.workloads.initialisers import glorot_uniform
from rosetta.workloads.layers import Dense, Embedding, Gru
from rosetta.workloads.spec import Input, Optimizer, Published, Workload

# Training seconds for 3 epochs on a K80 and a P100, from ilkarman/DeepLearningFrameworks, 2018.
_SECONDS = {
    "CNTK": (32, 15),
    "Keras (CNTK)": (86, 53),
    "Keras (TensorFlow)": (35, 26),
    "MXNet (Module)": (29, 24),
    "PyTorch": (31, 16),
    "TensorFlow": (30, 22),
}

WORKLOAD = Workload(
    name="imdb_gru",
    title="GRU on IMDB reviews",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks (2018)",
    dataset="imdb",
    inputs=(Input("review", (150,), "tokens"),),
    layers=(
        # The source leaves the initialisers to each framework; here they are Glorot's.
        Embedding("embedding", 30_000, 125, glorot_uniform(30_000, 125)),
        Gru("gru", 125, 100),
        Dense("dense", 100, 2),
    ),
    optimizer=Optimizer(
        "Adam",
        "m ← β₁·m + (1−β₁)·g;  v ← β₂·v + (1−β₂)·g²;  w ← w − lr·m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)",
        {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8},
    ),
    batch_size=64,
    epochs=3,
    compared_after=640,
    reached="about 0.86 test accuracy after 3 epochs",
    published=tuple(
        Published(framework, hardware, seconds, "3 epochs")
        for framework, pair in _SECONDS.items()
        for hardware, seconds in zip(("K80", "P100"), pair, strict=True)
    ),
)
