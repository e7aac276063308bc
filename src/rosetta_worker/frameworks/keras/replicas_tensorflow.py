"""Replicas in Keras on TensorFlow: MirroredStrategy, one process with a copy of every variable on each device."""

import tensorflow as tf

from . import backend_tensorflow, patches, trainer


class Trainer(trainer.Trainer):
    """The trainer's methods; a model that is built in the strategy's scope is trained in all replicas by ``fit``."""

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
        super().reseed(seed)
        patches.drop_differently(self.strategy, self.model, seed)

    def predict(self, inputs):
        """Ask the model itself: ``predict_on_batch`` would answer once for each replica."""
        return self.model(trainer.as_fed(inputs), training=False).numpy()
