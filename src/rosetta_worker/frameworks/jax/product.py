"""A matrix product in JAX."""

import jax
import jax.numpy as jnp


def make_product(a, b):
    """Return what multiplies the two and returns the product, computed."""
    a, b, product = jnp.asarray(a), jnp.asarray(b), jax.jit(jnp.matmul)
    return lambda: product(a, b).block_until_ready()
