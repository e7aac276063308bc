"""Mixed precision in Flax: layers compute in bfloat16; parameters, optimiser and logits are float32."""

import jax.numpy as jnp
from flax import nnx


def float32_outputs(network_class):
    """Return the class with outputs in float32, so that the loss is computed in that."""

    class Network(network_class):
        def __call__(self, *inputs):
            return super().__call__(*inputs).astype(jnp.float32)

    return Network


def compute_in_bfloat16(network):
    """Have all layers compute in bfloat16, as where each is made with ``dtype=jnp.bfloat16``."""
    for _, module in nnx.iter_modules(network):
        if hasattr(module, "dtype"):
            module.dtype = jnp.bfloat16
