"""Keras' convolutional network on CIFAR-10, fed by each framework's own loader."""

import dataclasses

from rosetta.workloads import cifar10_keras_cnn

WORKLOAD = dataclasses.replace(
    cifar10_keras_cnn.WORKLOAD,
    name="cifar10_keras_cnn_loader",
    title="Keras' convolutional network on CIFAR-10, each framework's own input pipeline",
    own_loader=True,
    chunk_seconds=1.0,  # loaders read some batches ahead
)
