"""Lesson 10: ReLU after pooling instead of before it."""

from rosetta.lessons.spec import Edit, Lesson, Ratio, Side

_TORCH = Side(
    "torch",
    name="relu_before",
    edits=(
        Edit(
            "cifar10_cnn.py",
            "        x = F.relu(F.max_pool2d(self.conv2(x), 2))\n",
            "        x = F.max_pool2d(F.relu(self.conv2(x)), 2)\n",
        ),
        Edit(
            "cifar10_cnn.py",
            "        x = F.relu(F.max_pool2d(self.conv4(x), 2))\n",
            "        x = F.max_pool2d(F.relu(self.conv4(x)), 2)\n",
        ),
    ),
)

LESSON = Lesson(
    name="relu_after_pool",
    number="10",
    claim="ReLU after max-pooling computes the same as before it, on a quarter of the numbers, and saves seconds.",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        Ratio("cifar10_cnn", _TORCH, Side("torch"), "more", published="3 s less an epoch's run of MXNet, P100, 2018"),
    ),
    meaning="Both orders are the same network, and the proof says so. Write the pool first where nothing fuses it.",
)
