"""The multi-layer perceptron on MNIST of the Keras back-end comparison."""

from rosetta.workloads.layers import RELU, Dense, dropout
from rosetta.workloads.spec import Input, Optimizer, Published, Workload

WORKLOAD = Workload(
    name="mnist_mlp",
    title="Multi-layer perceptron on MNIST",
    source="Keras 2.0 example mnist_mlp.py, as timed in the Keras back-end comparison (K80, 2017)",
    dataset="mnist",
    inputs=(Input("image", (784,)),),
    layers=(
        Dense("dense1", 784, 512),
        RELU,
        dropout(0.2),
        Dense("dense2", 512, 512),
        RELU,
        dropout(0.2),
        Dense("dense3", 512, 10),
    ),
    optimizer=Optimizer(
        "RMSprop",
        "v ← ρ·v + (1−ρ)·g²;  w ← w − lr·g / (√v + ε)",
        {"learning_rate": 0.001, "rho": 0.9, "epsilon": 1e-7},
    ),
    batch_size=128,
    epochs=20,
    compared_after=6_400,
    reached="98.40 % test accuracy after 20 epochs, says the example",
    published=(
        Published("Keras (CNTK, TensorFlow, Theano)", "K80", 2.5, "epoch", up_to=2.7),
        Published("Keras (MXNet)", "K80", 1.4, "epoch"),
    ),
)
