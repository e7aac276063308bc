"""The hierarchical recurrent network on MNIST of the Keras back-end comparison."""

from rosetta.workloads.layers import Dense, Lstm, Reshape, TimeDistributed
from rosetta.workloads.spec import Input, Optimizer, Published, Workload

WORKLOAD = Workload(
    name="mnist_hrnn",
    title="Hierarchical LSTM on MNIST",
    source="Keras 2.0 example mnist_hierarchical_rnn.py, as timed in the Keras back-end comparison (K80, 2017)",
    dataset="mnist",
    inputs=(Input("image", (28, 28)),),
    layers=(
        TimeDistributed((Reshape((28, 1)), Lstm("row_lstm", 1, 128))),
        Lstm("image_lstm", 128, 128),
        Dense("dense", 128, 10),
    ),
    optimizer=Optimizer(
        "RMSprop",
        "v ← ρ·v + (1−ρ)·g²;  w ← w − lr·g / (√v + ε)",
        {"learning_rate": 0.001, "rho": 0.9, "epsilon": 1e-7},
    ),
    batch_size=32,
    epochs=5,
    compared_after=320,
    reached="98.64 % test accuracy after 5 epochs, says the example",
    published=(
        Published("Keras (CNTK, MXNet)", "K80", 162, "epoch", up_to=164),
        Published("Keras (TensorFlow)", "K80", 179, "epoch"),
    ),
)
