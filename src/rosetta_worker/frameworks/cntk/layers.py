"""Two layers that the implementations share: CNTK's own embedding and GRU are not the workloads'."""

import cntk as C


def Embedding(vocabulary, features, name=""):
    """Tokens as float32 indices → vectors, (features).

    ``C.layers.Embedding`` multiplies one-hot vectors. Where they are sparse, as a large vocabulary's must be, its
    gradient is sparse too, which CNTK's Adam doesn't take on the CPU ("Feature Not Implemented").
    """
    E = C.Parameter((vocabulary, features), init=C.glorot_uniform(), name="E")

    @C.BlockFunction("Embedding", name)
    def embed(token):
        return C.gather(E, token)

    return embed


def GRU(units, name=""):
    """A step (h, x) → h, for ``Recurrence`` or ``Fold``. Reset after the product, as cuDNN has it; gates r, z, n.

    ``C.layers.GRU`` resets before the product and has no bias of the recurrence.
    """
    W = C.Parameter((C.InferredDimension, 3 * units), init=C.glorot_uniform(), name="W")
    H = C.Parameter((units, 3 * units), init=C.glorot_uniform(), name="H")
    b = C.Parameter(3 * units, init=0, name="b")
    c = C.Parameter(3 * units, init=0, name="c")

    def gate(x, number):
        return C.slice(x, -1, number * units, (number + 1) * units)

    @C.BlockFunction("GRU", name)
    def step(h, x):
        inputs = C.times(x, W) + b  # not part of the loop: CNTK computes it for all time steps at once
        recurrence = C.times(h, H) + c
        r = C.sigmoid(gate(inputs, 0) + gate(recurrence, 0))
        z = C.sigmoid(gate(inputs, 1) + gate(recurrence, 1))
        n = C.tanh(gate(inputs, 2) + r * gate(recurrence, 2))
        return (1 - z) * n + z * h

    return step
