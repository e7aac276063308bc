"""The convolutional network on CIFAR-10 of the "Rosetta Stone" comparison."""

from rosetta.workloads.layers import FLATTEN, RELU, Conv2d, Dense, MaxPool2d, dropout
from rosetta.workloads.spec import Input, Optimizer, Published, Workload

# Training seconds for 10 epochs on a K80 and a P100, from ilkarman/DeepLearningFrameworks, 2018.
_SECONDS = {
    "Caffe2": (148, 54),
    "Chainer": (162, 69),
    "CNTK": (163, 53),
    "MXNet (Gluon)": (152, 57),
    "Keras (CNTK)": (194, 76),
    "Keras (TensorFlow)": (241, 76),
    "Keras (Theano)": (269, 93),
    "TensorFlow": (173, 57),
    "Lasagne (Theano)": (253, 65),
    "MXNet (Module)": (145, 52),
    "PyTorch": (169, 51),
}

WORKLOAD = Workload(
    name="cifar10_cnn",
    title="Convolutional network on CIFAR-10",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks (2018)",
    dataset="cifar10",
    inputs=(Input("image", (3, 32, 32)),),
    layers=(
        Conv2d("conv1", 3, 50, 3, "same"),
        RELU,
        Conv2d("conv2", 50, 50, 3, "same"),
        MaxPool2d(2),
        RELU,
        dropout(0.25),
        Conv2d("conv3", 50, 100, 3, "same"),
        RELU,
        Conv2d("conv4", 100, 100, 3, "same"),
        MaxPool2d(2),
        RELU,
        dropout(0.25),
        FLATTEN,
        Dense("dense1", 6400, 512),
        RELU,
        dropout(0.5),
        Dense("dense2", 512, 10),
    ),
    optimizer=Optimizer(
        "SGD",
        "v ← momentum·v + g;  w ← w − lr·v  (unit gain off, no Nesterov)",
        {"learning_rate": 0.01, "momentum": 0.9},
    ),
    batch_size=64,
    epochs=10,
    compared_after=128,
    reached="about 0.775 test accuracy after 10 epochs",
    published=tuple(
        Published(framework, hardware, seconds, "10 epochs")
        for framework, pair in _SECONDS.items()
        for hardware, seconds in zip(("K80", "P100"), pair, strict=True)
    ),
)
