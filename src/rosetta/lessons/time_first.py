"""Lesson R2: time before the batch in a recurrent layer's data."""

from rosetta.lessons.spec import FULL, Edit, Lesson, Ratio, Side

_EMBEDDED = "        x = self.embedding({})\n"
_PUBLISHED = "0.5 s less in MXNet, 2018, on which GPU isn't said"

_TORCH = Side(
    "torch",
    name="time_first",
    edits=(
        Edit("imdb_gru.py", "nn.GRU(125, 100, batch_first=True)", "nn.GRU(125, 100)"),
        Edit("imdb_gru.py", _EMBEDDED.format("x"), _EMBEDDED.format("x.t()")),
    ),
)

# TensorFlow's implementation has time first already: here it is turned round behind the embedding.
_TENSORFLOW = Side(
    "tensorflow",
    name="batch_first",
    edits=(
        Edit(
            "imdb_gru.py",
            "        x = self.embedding(tf.transpose(reviews))  # (150, batch, 125): time comes first\n",
            "        x = self.embedding(reviews)  # (batch, 150, 125)\n",
        ),
        Edit("imdb_gru.py", "self.dense(self.gru(x))", "self.dense(self.gru(tf.transpose(x, (1, 0, 2))))"),
    ),
)

_JAX = Side(
    "jax",
    name="time_first",
    edits=(
        Edit(
            "imdb_gru.py",
            "(GRUCell(125, 100, rngs=rngs))",
            "(GRUCell(125, 100, rngs=rngs), time_major=True)",
        ),
        Edit("imdb_gru.py", _EMBEDDED.format("x"), _EMBEDDED.format("x.T")),
        Edit("imdb_gru.py", "self.gru(x)[:, -1]", "self.gru(x)[-1]"),
    ),
)

# MXNet's implementation turns the embedded words round; here either its layer does so, or the words are turned before.
_TRANSPOSED = "        x = F.transpose(x, axes=(1, 0, 2))  # time first, as MXNet's recurrent layers want it\n"
_MXNET = Side(
    "mxnet",
    name="batch_first",
    edits=(
        Edit("imdb_gru.py", "rnn.GRU(100, input_size=125)", 'rnn.GRU(100, layout="NTC", input_size=125)'),
        Edit("imdb_gru.py", _TRANSPOSED, ""),
        Edit("imdb_gru.py", "(time, batch, units)", "(batch, time, units)"),
        Edit(
            "imdb_gru.py",
            "F.squeeze(F.slice_axis(outputs, axis=0, begin=-1, end=None), axis=0)",
            "F.squeeze(F.slice_axis(outputs, axis=1, begin=-1, end=None), axis=1)",
        ),
    ),
)
_MXNET_FIRST = Side(
    "mxnet",
    name="time_first",
    edits=(
        Edit("imdb_gru.py", _EMBEDDED.format("x"), _EMBEDDED.format("F.transpose(x)")),
        Edit("imdb_gru.py", _TRANSPOSED, ""),
    ),
)

LESSON = Lesson(
    name="time_first",
    number="R2",
    claim="A recurrent network is fastest if time, not the batch, is the first axis of its data.",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        Ratio("imdb_gru", Side("torch"), _TORCH, "more"),
        Ratio("imdb_gru", _TENSORFLOW, Side("tensorflow"), "more", presets=FULL),
        Ratio("imdb_gru", Side("jax"), _JAX, "more", presets=FULL),
        Ratio("imdb_gru", _MXNET, _MXNET_FIRST, "more", published=_PUBLISHED, presets=FULL),
    ),
    meaning="A loop over time reads one step after the other, which lie together only if time comes first. Turn the "
    "words round before they are embedded, while they are small, if the effect here is worth a line to you.",
)
