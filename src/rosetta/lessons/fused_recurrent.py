"""Lesson R1: a recurrent layer's fused kernel instead of one cell after the other."""

from rosetta.lessons.spec import FULL, Edit, Lesson, Ratio, Side

_BABI, _IMDB = "babi_rnn[qa1]", "imdb_gru"
_PUBLISHED = "cuDNN's level is the fastest, K80, 2018; without a figure"


def _unrolled(steps: int, name: str, file: str, layer: str) -> Side:
    """JAX's loop with so many steps of it in one; XLA compiles all of them, and fuses over their borders."""
    edit = Edit(file, f"{layer}, rngs=rngs))\n", f"{layer}, rngs=rngs), unroll={steps})\n")
    return Side("jax", name=name, edits=(edit,))


def _keras_cells(backend: str) -> Side:
    """Keras' generic loop over the GRU's cells, which no back end has a kernel for."""
    layer, cells = "layers.GRU(100, reset_after=True,", "layers.RNN(layers.GRUCell(100, reset_after=True),"
    return Side(f"keras[{backend}]", name="cells", edits=(Edit("imdb_gru.py", layer, cells),))


_STORY = "self.lstm = nnx.RNN(nnx.OptimizedLSTMCell(50, 50"
_REVIEW = "self.gru = nnx.RNN(GRUCell(125, 100"
_FIVE = _unrolled(5, "five_steps", "babi_rnn.py", _STORY)
_ALL = _unrolled(66, "all_steps", "babi_rnn.py", _STORY)
_FIVE_WORDS = _unrolled(5, "five_words", "imdb_gru.py", _REVIEW)

LESSON = Lesson(
    name="fused_recurrent",
    number="R1",
    claim="A recurrent layer is fastest as one fused kernel; as a loop over its cells it is faster the more of its "
    "steps are compiled at once.",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        Ratio(_IMDB, Side("torch[cells]"), Side("torch"), "more", published=_PUBLISHED),
        Ratio(_BABI, Side("tensorflow[loop]"), Side("tensorflow"), "more", presets=FULL),
        Ratio(_BABI, Side("jax"), _FIVE, "more"),
        Ratio(_BABI, Side("jax"), _FIVE, "more", quantity="first step"),
        Ratio(_BABI, Side("jax"), _ALL, "more", presets=FULL),
        Ratio(_BABI, Side("jax"), _ALL, "more", quantity="first step", presets=FULL),
        Ratio(_BABI, Side("tensorflow[jit_compile]"), Side("tensorflow"), "more", presets=FULL),
        Ratio(_BABI, Side("torch[cells]"), Side("torch"), "more", presets=FULL),
        Ratio(_IMDB, Side("jax"), _FIVE_WORDS, "more", presets=FULL),
        *(
            Ratio(_IMDB, _keras_cells(backend), Side(f"keras[{backend}]"), "more", presets=FULL)
            for backend in ("torch", "jax", "tensorflow")
        ),
        Ratio(_IMDB, Side("torch[cells]@cuda"), Side("torch@cuda"), "more", published=_PUBLISHED, presets=FULL),
    ),
    meaning="Take the framework's own recurrent layer where it computes what you need, for only that can have a fused "
    "kernel. Where you need a cell of your own, try how many of its steps your compiler should see at once.",
)
