"""A layer of one's own: what it takes in each framework, and what it costs beside one that the framework has."""

from rosetta.lessons.spec import FULL, Edit, Lesson, Ratio, Side

_ACTIVATION, _GRU = "cifar10_own_activation", "imdb_gru"
_PUBLISHED = "left out of the published tables, which say so"

# y = a·x·σ(b·x) = a/b · silu(b·x): by the framework's own silu, with the gradient that the framework derives.
_TORCH = Side(
    "torch",
    name="silu",
    edits=(
        Edit(
            f"{_ACTIVATION}.py",
            '''class LearnedSwish(torch.autograd.Function):
    """y = a·x·σ(b·x), a and b one for each channel, with its derivatives written out."""

    @staticmethod
    def forward(ctx, x, a, b):
        """Map (batch, channels, height, width) to the same shape."""
        a, b = a.view(-1, 1, 1), b.view(-1, 1, 1)
        s = torch.sigmoid(b * x)
        ctx.save_for_backward(x, a, b, s)
        return a * x * s

    @staticmethod
    def backward(ctx, dy):
        """Map the loss's derivative with respect to y to those with respect to x, a and b."""
        x, a, b, s = ctx.saved_tensors
        xs = x * s
        t = xs * (1 - s)
        return dy * a * (s + b * t), (dy * xs).sum(dim=(0, 2, 3)), (dy * a * x * t).sum(dim=(0, 2, 3))


''',
            "",
        ),
        Edit(
            f"{_ACTIVATION}.py",
            "        return LearnedSwish.apply(x, self.scale, self.slope)\n",
            """        a, b = self.scale.view(-1, 1, 1), self.slope.view(-1, 1, 1)
        return a / b * F.silu(b * x)
""",
        ),
    ),
)
_JAX = Side(
    "jax",
    name="silu",
    edits=(
        Edit(f"{_ACTIVATION}.py", "import jax\n", ""),
        Edit(
            f"{_ACTIVATION}.py",
            '''@jax.custom_vjp
def learned_swish(x, a, b):
    """y = a·x·σ(b·x) for (batch, height, width, channels), a and b one for each channel."""
    y, _ = learned_swish_forward(x, a, b)
    return y


def learned_swish_forward(x, a, b):
    """Return y, and what its derivatives need."""
    s = nnx.sigmoid(b * x)
    return a * x * s, (x, a, b, s)


def learned_swish_backward(saved, dy):
    """Map the loss's derivative with respect to y to those with respect to x, a and b."""
    x, a, b, s = saved
    xs = x * s
    t = xs * (1 - s)
    return dy * a * (s + b * t), (dy * xs).sum(axis=(0, 1, 2)), (dy * a * x * t).sum(axis=(0, 1, 2))


learned_swish.defvjp(learned_swish_forward, learned_swish_backward)
''',
            '''def learned_swish(x, a, b):
    """y = a·x·σ(b·x) for (batch, height, width, channels), a and b one for each channel."""
    return a / b * nnx.silu(b * x)
''',
        ),
    ),
)
_TENSORFLOW = Side(
    "tensorflow",
    name="silu",
    edits=(
        Edit(
            f"{_ACTIVATION}.py",
            '''@tf.custom_gradient
def learned_swish(x, a, b):
    """y = a·x·σ(b·x) for (batch, height, width, channels), a and b one for each channel; and its derivatives."""
    s = tf.sigmoid(b * x)
    xs = x * s

    def gradient(dy):
        t = xs * (1 - s)
        da = tf.reduce_sum(dy * xs, axis=(0, 1, 2))
        db = tf.reduce_sum(dy * a * x * t, axis=(0, 1, 2))
        return dy * a * (s + b * t), da, db

    return a * xs, gradient
''',
            '''def learned_swish(x, a, b):
    """y = a·x·σ(b·x) for (batch, height, width, channels), a and b one for each channel."""
    return a / b * tf.nn.silu(b * x)
''',
        ),
    ),
)
_KERAS = (
    Edit(
        f"{_ACTIVATION}.py",
        '''@ops.custom_gradient
def learned_swish(x, a, b):
    """y = a·x·σ(b·x) for (batch, height, width, channels), a and b one for each channel; and its derivatives."""
    s = ops.sigmoid(b * x)
    xs = x * s

    def gradient(*args, upstream=None):
        if upstream is None:  # on PyTorch it is named, and the arguments are learned_swish's; on others it is all
            (upstream,) = args
        t = xs * (1 - s)
        da = ops.sum(upstream * xs, axis=(0, 1, 2))
        db = ops.sum(upstream * a * x * t, axis=(0, 1, 2))
        return upstream * a * (s + b * t), da, db

    return a * xs, gradient
''',
        '''def learned_swish(x, a, b):
    """y = a·x·σ(b·x) for (batch, height, width, channels), a and b one for each channel."""
    return a / b * ops.silu(b * x)
''',
    ),
)

# The cell of one's own has no counterpart that a framework ships; a GRU has: here it is written as that cell is.
_OWN_GRU = Side(
    "torch",
    name="own_gru",
    edits=(
        Edit("imdb_gru.py", "import torch\n", "import torch\nimport torch.nn.functional as F\n"),
        Edit(
            "imdb_gru.py",
            "class Network(nn.Module):\n",
            '''class OwnGRU(nn.GRU):
    """A GRU of PyTorch's parameters, its arithmetic written out in a Python loop over the time steps."""

    def forward(self, x):
        """Map (batch, time, in) to the inputs' products, and to the last output, (1, batch, units)."""
        inputs = F.linear(x, self.weight_ih_l0, self.bias_ih_l0)  # of all time steps at once
        h = x.new_zeros(len(x), self.hidden_size)
        for step in inputs.unbind(dim=1):
            input_r, input_z, input_n = step.chunk(3, dim=1)
            h_r, h_z, h_n = F.linear(h, self.weight_hh_l0, self.bias_hh_l0).chunk(3, dim=1)
            r = torch.sigmoid(input_r + h_r)
            z = torch.sigmoid(input_z + h_z)
            n = torch.tanh(input_n + r * h_n)
            h = (1 - z) * n + z * h
        return inputs, h.unsqueeze(0)


class Network(nn.Module):
''',
        ),
        Edit("imdb_gru.py", "nn.GRU(125, 100, batch_first=True)", "OwnGRU(125, 100, batch_first=True)"),
    ),
)


def _keras(backend: str) -> Ratio:
    contender = f"keras[{backend}]"
    silu = Side(contender, name="silu", edits=_KERAS)
    return Ratio(_ACTIVATION, silu, Side(contender), "less", published=_PUBLISHED, presets=FULL)


LESSON = Lesson(
    name="own_layer",
    claim="A layer of one's own, written in Python, is slower than one of the same arithmetic that the framework has.",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        Ratio(_ACTIVATION, _TORCH, Side("torch"), "less", published=_PUBLISHED),
        Ratio(_ACTIVATION, _TENSORFLOW, Side("tensorflow"), "less", published=_PUBLISHED, presets=FULL),
        Ratio(_ACTIVATION, _JAX, Side("jax"), "less", published=_PUBLISHED, presets=FULL),
        _keras("torch"),
        _keras("jax"),
        _keras("tensorflow"),
        Ratio(_GRU, Side("torch"), _OWN_GRU, "less", published=_PUBLISHED),
    ),
    meaning="Before you write a layer, look whether it is one that your framework has times something small. Where you "
    "must write it, the table says by what means, and the proof whether the gradient that you wrote is right.",
    own_layers=(_ACTIVATION, "mnist_own_cell"),
)
