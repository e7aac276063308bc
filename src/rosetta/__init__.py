"""Rosetta: the same neural network in every deep-learning framework, proven equal, measured side by side."""

__version__ = "0.1.0"
