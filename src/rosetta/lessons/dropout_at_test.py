"""Lesson 4: dropout must know that it doesn't train."""

import dataclasses

from rosetta.lessons.spec import Accuracy, Edit, Lesson, Preset, Proof, Side

_FILE = "cifar10_cnn.py"
_ALWAYS_ON = Side(
    "torch",
    name="dropout_on",
    edits=(
        Edit(_FILE, "        self.dropout1 = nn.Dropout(0.25)\n", ""),
        Edit(_FILE, "        self.dropout2 = nn.Dropout(0.25)\n", ""),
        Edit(_FILE, "        self.dropout3 = nn.Dropout(0.5)\n", ""),
        Edit(_FILE, "x = self.dropout1(x)\n", "x = F.dropout(x, 0.25)  # training=True unless told otherwise\n"),
        Edit(_FILE, "x = self.dropout2(x)\n", "x = F.dropout(x, 0.25)\n"),
        Edit(_FILE, "x = self.dropout3(x)\n", "x = F.dropout(x, 0.5)\n"),
    ),
)


def _less_accurate(workload: str, epochs: int, effect: float, sd: float, preset: Preset, device: str = "") -> Accuracy:
    return Accuracy(
        workload,
        Side(f"torch{device}"),
        dataclasses.replace(_ALWAYS_ON, contender=f"torch{device}"),
        "less",
        effect=effect,
        sd=sd,
        epochs=epochs,
        published="72 instead of 77 % after 10 epochs",
        presets=(preset,),
    )


def _refused(side: Side, *presets: Preset) -> Proof:
    return Proof("cifar10_cnn", side, "refused", fault="dropout left on where nothing is trained", presets=presets)


LESSON = Lesson(
    name="dropout_at_test",
    number="4",
    claim="Dropout that isn't told that it doesn't train costs five points of test accuracy.",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        # A few hundred steps are too few for all of the five points; the published training is a GPU's.
        _less_accurate("cifar10_cnn[samples=6400]", epochs=1, effect=2.5, sd=0.5, preset="quick"),
        _less_accurate("cifar10_cnn[samples=6400]", epochs=2, effect=2.5, sd=0.5, preset="full"),
        _less_accurate("cifar10_cnn", epochs=10, effect=5.0, sd=1.0, preset="full", device="@cuda"),
        _refused(_ALWAYS_ON, "quick", "full"),
        _refused(
            Side(
                "tensorflow",
                name="dropout_on",
                edits=(Edit(_FILE, "def __call__(self, x, training=False):", "def __call__(self, x, training=True):"),),
            ),
            "full",
        ),
        _refused(
            Side(
                "jax",
                name="dropout_on",
                edits=tuple(
                    Edit(_FILE, f"x = self.dropout{n}(x)\n", f"x = self.dropout{n}(x, deterministic=False)\n")
                    for n in (1, 2, 3)
                ),
            ),
            "full",
        ),
        _refused(
            Side(
                "lasagne",
                name="dropout_on",
                edits=(
                    Edit(
                        "trainer.py",
                        "return theano.function(self.inputs, get_output(self.network, deterministic=True))",
                        "return theano.function(self.inputs, get_output(self.network))",
                    ),
                ),
            ),
            "full",
        ),
    ),
    meaning=(
        "Nothing warns of it: the loss falls as it should, and only what is asked of the trained network is worse. "
        "In PyTorch prefer nn.Dropout with model.eval() to F.dropout, and ask any network twice for the same input: "
        "two answers mean that dropout is on."
    ),
)
