"""What tinygrad has as an operation and the implementations want as a layer."""


class Dropout:
    """Drops a fraction of the activations where ``TRAINING`` is set, and scales the others up."""

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, x):
        return x.dropout(self.rate)
