"""Lesson 6: softmax in the network, and once more in the loss."""

from rosetta.lessons.spec import FULL, Accuracy, Edit, GradientSize, Lesson, Proof, Ratio, Side

_TWICE = Side(
    "torch",
    name="softmax_twice",
    edits=(
        Edit("mnist_mlp.py", "        return self.dense3(x)\n", "        return F.softmax(self.dense3(x), dim=1)\n"),
        Edit("cifar10_cnn.py", "        return self.dense2(x)\n", "        return F.softmax(self.dense2(x), dim=1)\n"),
    ),
    another_network=True,
)
_ONCE = Side("torch")
_SAVED = "time is saved without it; without a figure"

LESSON = Lesson(
    name="softmax_twice",
    number="6",
    claim="A softmax in the network beside the one in the loss costs time, and shrinks the gradients.",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        Ratio("mnist_mlp", _ONCE, _TWICE, "less", published=_SAVED),
        Ratio("cifar10_cnn", _ONCE, _TWICE, "less", published=_SAVED, presets=FULL),
        GradientSize("cifar10_cnn", _ONCE, _TWICE, "less"),
        Accuracy("cifar10_cnn[samples=3200]", _ONCE, _TWICE, "less", effect=10.0, sd=2.0),
        Proof("cifar10_cnn", _TWICE, "refused", fault="softmax applied to what the loss takes for logits"),
    ),
    meaning=(
        "Losses that take logits apply softmax themselves, and nothing tells them from probabilities. Look at the last "
        "layer when a network trains slowly: PyTorch's CrossEntropyLoss, and whatever is called from_logits, want none."
    ),
)
