"""A lesson of today: an optimiser's step as one kernel, as few kernels for all parameters, or as a plain loop."""

from rosetta.lessons.spec import FULL, Edit, Lesson, Ratio, Side


def _optimizer(option: str, name: str, file: str, last: str, place: str = "") -> Side:
    """PyTorch with an option of its optimiser."""
    return Side(f"torch{place}", name=name, edits=(Edit(file, f"{last})\n", f"{last}, {option})\n"),))


def _adam(option: str, name: str, place: str = "") -> Side:
    return _optimizer(option, name, "imdb_gru.py", "eps=1e-8", place)


_FOREACH = _adam("foreach=True", "foreach")

LESSON = Lesson(
    name="optimizer_kernels",
    claim="An optimiser's step is fastest as one fused kernel, then with each operation on all parameters at once, "
    "then as a loop over them.",
    source="PyTorch documentation, torch.optim",
    year=2023,
    comparisons=(
        Ratio("imdb_gru", Side("torch"), Side("torch[fused]"), "more"),
        Ratio("imdb_gru", Side("torch"), _FOREACH, "more"),
        Ratio("imdb_gru", _FOREACH, Side("torch[fused]"), "more"),
        Ratio("cifar10_cnn", Side("torch"), Side("torch[fused]"), "more", presets=FULL),
        Ratio("imdb_gru", _adam("foreach=False", "plain", "@cuda"), Side("torch@cuda"), "more", presets=FULL),
        Ratio("imdb_gru", Side("torch@cuda"), Side("torch[fused]@cuda"), "more", presets=FULL),
    ),
    meaning="On a CPU PyTorch loops over the parameters unless you say fused=True, on a GPU it takes them together. "
    "Look at what your optimiser's step is of the whole one: no option can win more.",
)
