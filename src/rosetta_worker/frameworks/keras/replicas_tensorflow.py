"""Replicas in Keras on TensorFlow: MirroredStrategy, one process with a copy of every variable on each device."""

import tensorflow as tf

from . import backend_tensorflow, trainer
from .trainer import keras


class Trainer(trainer.Trainer):
    """The verbs; a model that is built in the strategy's scope is trained in all replicas by ``fit``."""

    def __init__(self, implementation, workload, variants, device, dropout, seed, replicas):
        backend_tensorflow.use(device, replicas, workload["dtype"], "tf32" in variants)
        # Left alone, it makes collective operations even of virtual devices, which a second network trips over.
        reduction = tf.distribute.ReductionToOneDevice() if device == "cpu" else None
        kind = "GPU" if device == "cuda" else "CPU"
        self.strategy = tf.distribute.MirroredStrategy([f"{kind}:{i}" for i in range(replicas)], reduction)
        with self.strategy.scope():
            super().__init__(implementation, workload, variants, device, dropout, seed, replicas)
        self.reseed(seed)

    def reseed(self, seed):
        """Have each replica drop other units: left alone, Keras drops the same ones in every part of a batch."""
        super().reseed(seed)
        layers = [layer for layer in self.model.layers if isinstance(layer, keras.layers.Dropout)]

        def differ():
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            for index, layer in enumerate(layers):
                state = layer.seed_generator.state.value
                state.assign(tf.cast([seed + 1000 * replica, index], state.dtype))

        self.strategy.run(differ)

    def predict(self, inputs):
        """Ask the model itself: ``predict_on_batch`` would answer once for each replica."""
        return self.model(trainer.as_fed(inputs), training=False).numpy()
