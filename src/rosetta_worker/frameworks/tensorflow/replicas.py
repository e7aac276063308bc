"""Replicas in TensorFlow: MirroredStrategy, one process with a copy of every variable on each device."""

import tensorflow as tf

from . import trainer


class Trainer(trainer.Trainer):
    """The trainer's methods; one training step runs in all replicas."""

    def __init__(self, implementation, workload, variants, device, dropout, seed, replicas):
        if "jit_compile" in variants:
            raise ValueError("XLA can't compile a step that exchanges gradients between replicas")
        self.replicas = replicas
        trainer.use(device, replicas)
        # Left alone, it makes collective operations even of virtual devices, which a second network trips over.
        reduction = tf.distribute.ReductionToOneDevice() if device == "cpu" else None
        kind = "GPU" if device == "cuda" else "CPU"
        self.strategy = tf.distribute.MirroredStrategy([f"{kind}:{i}" for i in range(replicas)], reduction)
        with self.strategy.scope(), tf.variable_creator_scope(mean_of_replicas):
            super().__init__(implementation, workload, variants, device, dropout, seed, replicas)
        self.compile_train_step()

    def compile_train_step(self):
        averaging = AverageGradients(self.optimizer)
        step = self.implementation.make_train_step(self.network, averaging).python_function

        @tf.function
        def train_step(*batch):
            return self.strategy.reduce("MEAN", self.strategy.run(step, args=batch), axis=None)

        self.train_step = train_step

    def reseed(self, seed):
        tf.random.set_seed(seed)
        self.compile_train_step()

    def prepare(self, inputs, labels):
        return [tuple(map(self.shared, batch)) for batch in super().prepare(inputs, labels)]

    def shared(self, tensor):
        """Cut a batch into a part for each replica."""
        parts = tf.split(tensor, self.replicas)
        return self.strategy.experimental_distribute_values_from_function(
            lambda context: parts[context.replica_id_in_sync_group]
        )


class AverageGradients:
    """The optimiser's part in a step: it gets the replicas' mean gradients."""

    def __init__(self, optimizer):
        self.optimizer = optimizer

    def apply_gradients(self, gradients, variables):
        gradients = [tf.convert_to_tensor(g) for g in gradients]  # an embedding's is sparse
        gradients = tf.distribute.get_replica_context().all_reduce("MEAN", gradients)
        self.optimizer.apply_gradients(gradients, variables)


def mean_of_replicas(create, **options):
    """Create a variable; one that isn't trained, as a running statistic, takes the mean of what replicas assign."""
    if not options.get("trainable", True):
        options["aggregation"] = tf.VariableAggregation.MEAN
    return create(**options)
