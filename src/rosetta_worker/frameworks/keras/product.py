"""A matrix product in Keras 3, on each of its back ends."""

import keras


def make_product(a, b):
    """Return what multiplies the two and returns the product, computed."""
    a, b = keras.ops.convert_to_tensor(a), keras.ops.convert_to_tensor(b)

    def multiply():
        result = keras.ops.matmul(a, b)
        # JAX alone among the back ends returns before it is computed.
        return result.block_until_ready() if keras.config.backend() == "jax" else result

    return multiply
