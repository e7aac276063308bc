"""Keras' convolutional network on CIFAR-10 in NumPy: the reference, the same for every loader."""

from .cifar10_keras_cnn import make_optimizer, network

__all__ = ["make_optimizer", "network"]
