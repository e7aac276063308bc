"""A convolutional network on CIFAR-10 whose activation is a layer of one's own, with a gradient of one's own."""

from rosetta.workloads.initialisers import he_normal
from rosetta.workloads.layers import FLATTEN, Conv2d, Dense, MaxPool2d, OwnActivation
from rosetta.workloads.spec import Input, Optimizer, Workload

WORKLOAD = Workload(
    name="cifar10_own_activation",
    title="Activation of one's own on CIFAR-10",
    source="Rosetta's own; the activation is Swish (Ramachandran, Zoph & Le 2017) with two learned numbers a channel",
    dataset="cifar10",
    inputs=(Input("image", (3, 32, 32)),),
    layers=(
        # He's initialiser, as for ReLU: by Glorot's the slopes moved so little in ten steps that float32 lost it.
        Conv2d("conv1", 3, 32, 3, "same", initialiser=he_normal(3 * 9)),
        OwnActivation("act1", 32),
        MaxPool2d(2),
        Conv2d("conv2", 32, 64, 3, "same", initialiser=he_normal(32 * 9)),
        OwnActivation("act2", 64),
        MaxPool2d(2),
        FLATTEN,
        Dense("dense", 4096, 10),
    ),
    optimizer=Optimizer(
        "SGD",
        "v ← momentum·v + g;  w ← w − lr·v  (unit gain off, no Nesterov)",
        {"learning_rate": 0.01, "momentum": 0.9},
    ),
    batch_size=64,
    epochs=10,
    compared_after=640,
    reached="nothing published, and not trained to its end here yet",
)
