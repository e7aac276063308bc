"""A matrix product in TensorFlow."""

import tensorflow as tf


def make_product(a, b):
    """Return what multiplies the two and returns the product, which is computed when the call returns."""
    a, b = tf.constant(a), tf.constant(b)
    return lambda: tf.linalg.matmul(a, b)
