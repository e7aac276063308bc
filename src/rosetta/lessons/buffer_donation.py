"""A lesson of today: a compiled step in JAX is given the buffers of the state that it replaces."""

from rosetta.lessons.spec import FULL, Edit, Lesson, Ratio, Side

_NO_FIGURE = "none: the documentation speaks of memory alone"
_SIZE = "less by the size of the donated buffers"


# The step writes new parameters and moments beside the old ones, which nobody reads any more.
_KEPT = Side(
    "jax",
    name="kept",
    edits=tuple(
        Edit(file, "graph=False, donate_argnums=0)", "graph=False)") for file in ("imdb_gru.py", "mnist_mlp.py")
    ),
)

LESSON = Lesson(
    name="buffer_donation",
    claim="A step that is given the buffers of the model and its optimiser takes less memory, and less time.",
    source="JAX documentation, Buffer donation",
    year=2020,
    comparisons=(
        Ratio("imdb_gru", _KEPT, Side("jax"), "less", quantity="peak memory", published=_SIZE),
        Ratio("imdb_gru", _KEPT, Side("jax"), "more", published=_NO_FIGURE),
        Ratio("mnist_mlp", _KEPT, Side("jax"), "less", quantity="peak memory", published=_SIZE, presets=FULL),
        Ratio("mnist_mlp", _KEPT, Side("jax"), "more", published=_NO_FIGURE, presets=FULL),
    ),
    meaning="Donate what a step replaces: the state of training is never read again. What that saves is at most the "
    "parameters and the optimiser's moments, so look at how large these are beside your activations.",
)
