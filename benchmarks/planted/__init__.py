"""Faults that are planted in copies of frameworks' folders: a module for each framework, and what is done with them."""

from planted import chainer, jax, keras, tensorflow, tinygrad, torch
from planted.fault import Fault

FAULTS: tuple[Fault, ...] = tuple(
    sorted(
        (
            *torch.FAULTS,
            *jax.FAULTS,
            *tensorflow.FAULTS,
            *keras.FAULTS,
            *chainer.FAULTS,
            *tinygrad.FAULTS,
        ),
        key=lambda fault: fault.id,
    )
)
"""All there are, by framework, workload and name."""
