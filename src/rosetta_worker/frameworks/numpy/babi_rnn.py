"""The two-branch LSTM on bAbI in NumPy: the reference."""

import autograd.numpy as np

from .layers import dense, embedding
from .optimizers import Adam
from .recurrent import lstm


def network(p, story, question, mode):
    """Map the tokens of stories, (batch, time), and questions, (batch, words), to logits, (batch, vocabulary)."""
    story = mode.dropout(embedding(p["story_embedding.weight"], story), 0.3)

    question = mode.dropout(embedding(p["question_embedding.weight"], question), 0.3)
    question = lstm(
        question, p["question_lstm.input_weight"], p["question_lstm.recurrent_weight"], p["question_lstm.bias"]
    )

    x = story + np.expand_dims(question, 1)  # the question, repeated over the story's length
    x = lstm(x, p["lstm.input_weight"], p["lstm.recurrent_weight"], p["lstm.bias"])
    x = mode.dropout(x, 0.3)
    return dense(x, p["dense.weight"], p["dense.bias"])


def make_optimizer(p, epsilon_after_correction=False):
    """Adam in Keras' form, or as in the paper."""
    return Adam(p, 0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, epsilon_after_correction=epsilon_after_correction)
