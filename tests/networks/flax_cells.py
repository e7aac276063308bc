"""The recurrent cells and attention of cells.py in Flax NNX, by its own layers."""

from flax import nnx


class Lstm(nnx.Module):
    def __init__(self, rngs):
        self.lstm = nnx.RNN(nnx.OptimizedLSTMCell(5, 6, rngs=rngs))
        self.out = nnx.Linear(6, 3, rngs=rngs)

    def __call__(self, x):
        return self.out(self.lstm(x)[:, -1])


class LstmOfFourMatrices(Lstm):
    def __init__(self, rngs):
        super().__init__(rngs)
        self.lstm = nnx.RNN(nnx.LSTMCell(5, 6, rngs=rngs))


class Attention(nnx.Module):
    def __init__(self, rngs):
        self.attention = nnx.MultiHeadAttention(2, 8, decode=False, rngs=rngs)
        self.out = nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, x):
        return self.out(self.attention(x).mean(1))
