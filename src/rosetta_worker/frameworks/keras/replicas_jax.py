"""Replicas in Keras on JAX: keras.distribution lays each batch out over the devices; XLA adds what they exchange."""

import keras

from . import backend_jax, trainer


class Trainer(trainer.Trainer):
    """The trainer's methods; what is built and fed under a distribution is laid out by it."""

    def __init__(self, implementation, workload, variants, device, dropout, seed, replicas):
        backend_jax.use(device, replicas, workload["dtype"], "tf32" in variants)
        devices = keras.distribution.list_devices("gpu" if device == "cuda" else device)[:replicas]
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
        super().__init__(implementation, workload, variants, device, dropout, seed, replicas)
