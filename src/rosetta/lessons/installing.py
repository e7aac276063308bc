"""Lesson 12: installing old frameworks by hand."""

from rosetta.lessons.spec import PRESETS, Installation, Lesson, Preset, Side

_CAFFE2 = "built by hand for Python 3.5, which proved a bit difficult; without a figure"


def _beside_torch(old: str, *presets: Preset, published: str = "") -> Installation:
    """Compare the seconds from nothing to the first step with those of a framework that is still released."""
    return Installation(
        "mnist_mlp",
        Side("torch"),
        Side(old),
        "more",
        published=published,
        presets=presets or PRESETS,
    )


LESSON = Lesson(
    name="installing",
    number="12",
    claim="A framework that nobody releases any more takes longer to install, and to get to its first step.",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        _beside_torch("chainer"),
        _beside_torch("mxnet", "full"),
        _beside_torch("lasagne"),
        _beside_torch("keras2[theano]", "full"),
        _beside_torch("keras2[mxnet]", "full"),
        _beside_torch("keras2[cntk]", "full"),
        _beside_torch("cntk", "full"),
        _beside_torch("caffe2", "full", published=_CAFFE2),
    ),
    meaning="The seconds are those of a recipe that is known, which is in the framework's manifest: to find it took "
    "longer. Before you install an old framework by hand, look whether somebody has done so.",
)
