"""ResNet-50's features of images, as in the "Rosetta Stone" comparison: prediction only."""

from rosetta.workloads.layers import (
    GLOBAL_AVERAGE_POOL,
    RELU,
    BatchNorm2d,
    Conv2d,
    Layer,
    MaxPool2d,
    Sum,
)
from rosetta.workloads.spec import Input, Published, Workload

# Seconds per 1,000 images on a K80 and a P100, from ilkarman/DeepLearningFrameworks, 2018.
_SECONDS = {
    "Caffe2": (14.1, 7.9),
    "Chainer": (9.3, 2.7),
    "CNTK": (8.5, 1.6),
    "Keras (CNTK)": (21.7, 5.9),
    "Keras (TensorFlow)": (10.2, 2.9),
    "TensorFlow": (6.5, 1.8),
    "MXNet (Module)": (7.7, 1.6),
    "PyTorch": (7.7, 1.9),
}
_STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))


def _convolution(name: str, inputs: int, outputs: int, kernel: int, stride: int = 1) -> tuple[Layer, ...]:
    padding = kernel // 2
    return (
        Conv2d(f"{name}_conv", inputs, outputs, kernel, padding, stride, bias=False),
        BatchNorm2d(f"{name}_norm", outputs, epsilon=1e-5, random=True),
    )


def _bottleneck(name: str, inputs: int, width: int, stride: int) -> tuple[Layer, ...]:
    """Make a block of version 1: the first 1 × 1 convolution has the stride (He et al. 2016)."""
    main = (
        *_convolution(f"{name}_a", inputs, width, 1, stride),
        RELU,
        *_convolution(f"{name}_b", width, width, 3),
        RELU,
        *_convolution(f"{name}_c", width, 4 * width, 1),
    )
    shortcut = () if inputs == 4 * width else _convolution(f"{name}_shortcut", inputs, 4 * width, 1, stride)
    return (Sum((main, shortcut)), RELU)


def _layers() -> tuple[Layer, ...]:
    layers: list[Layer] = [*_convolution("stem", 3, 64, 7, 2), RELU, MaxPool2d(3, stride=2, padding=1)]
    channels = 64
    for stage, (blocks, width) in enumerate(_STAGES, start=1):
        for block in range(1, blocks + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            layers += _bottleneck(f"stage{stage}_block{block}", channels, width, stride)
            channels = 4 * width
    return (*layers, GLOBAL_AVERAGE_POOL)


WORKLOAD = Workload(
    name="resnet50_features",
    title="ResNet-50 features, prediction only",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks (2018); there pretrained, here random parameters",
    dataset="random_images",
    inputs=(Input("image", (3, 224, 224)),),
    layers=_layers(),
    optimizer=None,
    batch_size=32,
    epochs=0,
    compared_after=0,
    reached="",
    published=tuple(
        Published(framework, hardware, seconds, "1,000 images")
        for framework, pair in _SECONDS.items()
        for hardware, seconds in zip(("K80", "P100"), pair, strict=True)
    ),
)
