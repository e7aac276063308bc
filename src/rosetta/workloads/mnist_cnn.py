"""The convolutional network on MNIST of the Keras back-end comparison."""

from rosetta.workloads.layers import FLATTEN, RELU, Conv2d, Dense, MaxPool2d, dropout
from rosetta.workloads.spec import Input, Optimizer, Workload

WORKLOAD = Workload(
    name="mnist_cnn",
    title="Convolutional network on MNIST",
    source="Keras 2.0 example mnist_cnn.py, as timed in the Keras back-end comparison (K80, 2017)",
    dataset="mnist",
    inputs=(Input("image", (1, 28, 28)),),
    layers=(
        Conv2d("conv1", 1, 32, 3, "valid"),
        RELU,
        Conv2d("conv2", 32, 64, 3, "valid"),
        RELU,
        MaxPool2d(2),
        dropout(0.25),
        FLATTEN,
        Dense("dense1", 9216, 128),
        RELU,
        dropout(0.5),
        Dense("dense2", 128, 10),
    ),
    optimizer=Optimizer(
        "Adadelta",
        "v ← ρ·v + (1−ρ)·g²;  d = √(u + ε) / √(v + ε) · g;  u ← ρ·u + (1−ρ)·d²;  w ← w − lr·d",
        {"learning_rate": 1.0, "rho": 0.95, "epsilon": 1e-7},
    ),
    batch_size=128,
    epochs=12,
    compared_after=640,
    reached="99.25 % test accuracy after 12 epochs, says the example",
)
