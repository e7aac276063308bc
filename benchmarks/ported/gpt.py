"""Faults and rewrites of the ports of the GPT."""

from ported.change import Change, fault, rewrite

_SCORES = """scores = scores / (width // self.heads) ** 0.5
        scores = scores + torch.full((length, length), float("-inf")).triu(1)
        weights = scores.softmax(-1)
        mixed = torch.einsum("bhqk,bhkd->bhqd", weights, v)"""

FAULTS: tuple[Change, ...] = (
    fault(
        "torch",
        "Gpt",
        "scale",
        "before blocks.0.proj",
        "scores times 1 / √(all features)",
        ("scores / (width // self.heads) ** 0.5", "scores / width**0.5"),
    ),
    fault(
        "torch",
        "Gpt",
        "no mask",
        "before blocks.0.proj",
        "mask none instead of of later places",
        ('        scores = scores + torch.full((length, length), float("-inf")).triu(1)\n', ""),
    ),
    fault(
        "torch",
        "Gpt",
        "softmax over queries",
        "before blocks.0.proj",
        "softmax over queries instead of keys",
        ("weights = scores.softmax(-1)", "weights = scores.softmax(-2)"),
    ),
    fault(
        "torch",
        "Gpt",
        "heads mixed",
        "before blocks.0.proj",
        "heads put together without moving them back",
        ("mixed.transpose(1, 2).reshape(", "mixed.reshape("),
    ),
    fault(
        "torch",
        "Gpt",
        "epsilon",
        "blocks.0.ln2",
        "ε = 0.001 instead of 1e-05",
        ("self.second_norm = nn.LayerNorm(width)", "self.second_norm = nn.LayerNorm(width, eps=1e-3)"),
    ),
    fault(
        "jax",
        "Gpt",
        "GELU by tanh",
        "before blocks.0.out",
        "GELU by tanh instead of exact GELU",
        ("jax.nn.gelu(self.fc(self.ln2(x)), approximate=False)", "jax.nn.gelu(self.fc(self.ln2(x)))"),
    ),
    fault(
        "jax",
        "Gpt",
        "residual of what is normalised",
        "before blocks.0.ln2",
        "blocks.0.ln1",
        ("x = x + self.attend(self.ln1(x))", "x = self.ln1(x)\n        x = x + self.attend(x)"),
    ),
    fault(
        "jax",
        "Gpt",
        "places from one",
        "before pos",
        "values plus 1",
        ("jnp.arange(tokens.shape[1])", "jnp.arange(1, tokens.shape[1] + 1)"),
    ),
    fault(
        "jax",
        "Gpt",
        "mask turned round",
        "before blocks.0.proj",
        "mask of earlier places",
        ("jnp.where(jnp.tril(", "jnp.where(jnp.triu("),
    ),
    fault(
        "jax",
        "Gpt",
        "heads of places",
        "before blocks.0.proj",
        "heads taken apart places and features",
        ("a.reshape(batch, length, 2, 8) for a", "a.reshape(batch, 2, length, 8).swapaxes(1, 2) for a"),
    ),
    fault(
        "keras",
        "Gpt",
        "no scale",
        "before blocks.0.proj",
        "scores times 1 instead of 1 / √(features of a head)",
        (" / (width // self.heads) ** 0.5", ""),
    ),
    fault(
        "keras",
        "Gpt",
        "ReLU in place of GELU",
        "blocks.0.act",
        "instead of exact GELU",
        ('4 * width, activation="gelu"', '4 * width, activation="relu"'),
    ),
    fault(
        "keras",
        "Gpt",
        "residual left out",
        "blocks.0",
        "blocks.0.out instead of",
        ("return x + self.out(self.fc(self.ln2(x)))", "return self.out(self.fc(self.ln2(x)))"),
    ),
    fault(
        "keras",
        "Gpt",
        "mask after the softmax",
        "before blocks.0.proj",
        "mask after the softmax instead of of later places",
        ('        scores = ops.where(ops.tril(ops.ones((length, length), "bool")), scores, float("-inf"))\n', ""),
        (
            "ops.softmax(scores, axis=-1)",
            'ops.where(ops.tril(ops.ones((length, length), "bool")), ops.softmax(scores, axis=-1), 0.0)',
        ),
    ),
    fault(
        "keras",
        "Gpt",
        "embedding scaled",
        "before blocks.0.ln1",
        "4 times tok",
        ("x = self.tok(tokens) + ", "x = self.tok(tokens) * 4 + "),
    ),
    fault(
        "paddle",
        "Gpt",
        "scale",
        "before blocks.0.proj",
        "scores times 1 / (features of a head)",
        ("* 8**-0.5", "* 8**-1.0"),
    ),
    fault(
        "paddle",
        "Gpt",
        "mask by zero",
        "before blocks.0.proj",
        "mask by 0 in place of -∞",
        ('paddle.full_like(scores, float("-inf"))', "paddle.zeros_like(scores)"),
    ),
    fault(
        "paddle",
        "Gpt",
        "normalised after the sum",
        "before blocks.0.ln1",
        "",
        ("x = x + self.attend(self.ln1(x))", "x = self.ln1(x + self.attend(x))"),
    ),
    fault(
        "paddle",
        "Gpt",
        "GELU by tanh",
        "blocks.0.act",
        "GELU by tanh instead of exact GELU",
        ("self.act = nn.GELU()\n        self.out", "self.act = nn.GELU(approximate=True)\n        self.out"),
    ),
    fault(
        "paddle",
        "Gpt",
        "heads mixed",
        "before blocks.0.proj",
        "heads put together without moving them back",
        ("mixed.transpose([0, 2, 1, 3]).reshape(", "mixed.reshape("),
    ),
)

REWRITES: tuple[Change, ...] = (
    rewrite("torch", "Gpt", "three projections"),
    rewrite(
        "torch",
        "Gpt",
        "PyTorch's own attention",
        (
            'scores = torch.einsum("bhqd,bhkd->bhqk", q, k)\n        ' + _SCORES,
            "mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)",
        ),
    ),
    rewrite("torch", "Gpt", "mask by a large number", ('float("-inf")', "-1e9")),
    rewrite(
        "torch",
        "Gpt",
        "one projection, heads together",
        (
            "self.q, self.k, self.v = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)",
            "self.fused = nn.Linear(width, 3 * width)",
        ),
        (
            "q, k, v = (layer(x).view(batch, length, self.heads, -1).transpose(1, 2) "
            "for layer in (self.q, self.k, self.v))",
            "q, k, v = self.fused(x).view(batch, length, self.heads, 3, -1).permute(3, 0, 2, 1, 4)",
        ),
    ),
    rewrite("jax", "Gpt", "one projection"),
    rewrite(
        "jax",
        "Gpt",
        "queries scaled",
        ('jnp.einsum("bqhd,bkhd->bhqk", q, k) / jnp.sqrt(8)', 'jnp.einsum("bqhd,bkhd->bhqk", q / jnp.sqrt(8), k)'),
    ),
    rewrite("keras", "Gpt", "three projections"),
    rewrite("paddle", "Gpt", "one projection"),
)
