"""Lesson 5: Winograd and other algorithms for the same convolution."""

from rosetta.lessons.spec import FULL, Edit, Lesson, Ratio, Side

_GROWTH = 'TF_FORCE_GPU_ALLOW_GROWTH = "true"\n'


def _tensorflow(name: str, variable: str, value: str, device: str = "") -> Side:
    """Return TensorFlow with an environment variable, which its processes are given before they import it."""
    return Side(f"tensorflow{device}", name, (Edit("framework.toml", _GROWTH, f'{_GROWTH}{variable} = "{value}"\n'),))


_NATIVE = Side(
    "torch",
    name="without_onednn",
    edits=(
        Edit(
            "trainer.py",
            "        torch.manual_seed(seed)\n        set_precision(",
            "        torch.manual_seed(seed)\n"
            "        torch.backends.mkldnn.enabled = False  # convolutions as patches and a matrix product\n"
            "        set_precision(",
        ),
    ),
)

LESSON = Lesson(
    name="algorithms",
    number="5",
    claim="Another algorithm for the same convolution changes its speed, as Winograd's did in TensorFlow: first it was "
    "much faster, later slower.",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        Ratio(
            "cifar10_cnn",
            _tensorflow("onednn_off", "TF_ENABLE_ONEDNN_OPTS", "0"),
            _tensorflow("onednn_on", "TF_ENABLE_ONEDNN_OPTS", "1"),
            "more",
        ),
        Ratio("cifar10_cnn", Side("jax"), Side("jax[im2col]"), "more", presets=FULL),
        Ratio("cifar10_cnn", _NATIVE, Side("torch"), "more", presets=FULL),
        Ratio(
            "cifar10_cnn",
            _tensorflow("winograd_off", "TF_ENABLE_WINOGRAD_NONFUSED", "0", "@cuda"),
            _tensorflow("winograd_on", "TF_ENABLE_WINOGRAD_NONFUSED", "1", "@cuda"),
            "less",
            published="slower with it, without a figure, 2018",
        ),
    ),
    meaning="Look at the digits beside the speed: an algorithm that adds up in another order rounds otherwise. Set "
    "such a variable where you need to reproduce figures, since its default may change from version to version.",
)
