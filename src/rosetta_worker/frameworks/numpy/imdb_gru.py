"""The "Rosetta Stone" GRU on IMDB reviews in NumPy: the reference."""

from .layers import dense, embedding
from .optimizers import Adam
from .recurrent import gru


def network(p, x, mode):
    """Map the tokens of reviews, (batch, 150), to logits, (batch, 2)."""
    x = embedding(p["embedding.weight"], x)
    x = gru(x, p["gru.input_weight"], p["gru.recurrent_weight"], p["gru.input_bias"], p["gru.recurrent_bias"])
    return dense(x, p["dense.weight"], p["dense.bias"])


def make_optimizer(p, epsilon_before_correction=False):
    """Adam as in the paper, or in Keras' form."""
    after = not epsilon_before_correction
    return Adam(p, 0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8, epsilon_after_correction=after)
