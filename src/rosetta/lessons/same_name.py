"""Lesson 8, today's half: an optimiser's name that means something else in another framework."""

from rosetta.lessons.spec import Accuracy, Edit, Lesson, Proof, Side

_KERAS_RATE = Side(
    "keras[tensorflow]",
    name="default_rate",
    edits=(
        Edit(
            "mnist_cnn.py",
            "keras.optimizers.Adadelta(learning_rate=1.0, rho=0.95, epsilon=1e-7)",
            "keras.optimizers.Adadelta(rho=0.95, epsilon=1e-7)",
        ),
    ),
)
_ADADELTA = "84 instead of 99 % after 12 epochs, Keras' mnist_cnn example, 2020"


LESSON = Lesson(
    name="same_name",
    claim="Optimisers of one name differ between frameworks, by defaults and formulas, enough to be another training.",
    source="Keras, issue 13815",
    year=2020,
    comparisons=(
        Accuracy(
            "mnist_cnn[samples=6400]",
            Side("keras[tensorflow]"),
            _KERAS_RATE,
            "less",
            effect=15.0,
            sd=3.0,
            published=_ADADELTA,
        ),
        Proof(
            "mnist_cnn",
            _KERAS_RATE,
            "refused",
            fault="Adadelta with Keras' own rate, 0.001, where its paper and PyTorch have 1",
            published=_ADADELTA,
        ),
        Proof(
            "mnist_mlp",
            Side(
                "keras[jax]",
                name="same_epsilon",
                edits=(Edit("mnist_mlp.py", "rho=0.9, epsilon=1e-14", "rho=0.9, epsilon=1e-7"),),
            ),
            "refused",
            fault="RMSprop's ε, the same number, but inside the root, where Keras has it",
        ),
        Proof(
            "mnist_mlp",
            Side(
                "jax",
                name="default_epsilon",
                edits=(Edit("mnist_mlp.py", "eps=1e-7, eps_in_sqrt=False", "eps=1e-7"),),
            ),
            "refused",
            fault="RMSprop's ε, the same number, but inside the root, where Optax has it unless told otherwise",
        ),
        Proof(
            "imdb_gru",
            Side(
                "mlx",
                name="default_correction",
                edits=(Edit("imdb_gru.py", "eps=1e-8, bias_correction=True", "eps=1e-8"),),
            ),
            "refused",
            fault="Adam without the correction of its bias, which MLX leaves out unless told otherwise",
        ),
        Proof(
            "imdb_gru",
            Side(
                "torch",
                name="decoupled",
                edits=(Edit("imdb_gru.py", "torch.optim.Adam(", "torch.optim.AdamW("),),
            ),
            "refused",
            fault="Adam with decoupled weight decay, 0.01 in PyTorch unless told otherwise",
        ),
    ),
    meaning=(
        "Carry an optimiser over by its formula and by all of its numbers, not by its name. Write out what the other "
        "framework takes for granted: the rate, ε and where it stands, bias correction and weight decay."
    ),
)
