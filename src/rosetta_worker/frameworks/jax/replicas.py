"""Replicas in JAX: one network on a mesh of devices, each batch laid out over them; XLA adds what they exchange."""

import jax
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from . import trainer


class Trainer(trainer.Trainer):
    """The trainer's methods; where batches are laid out over a mesh, the compiled step computes on it."""

    def __init__(self, implementation, workload, variants, device, dropout, seed, replicas):
        if device == "cpu":
            jax.config.update("jax_num_cpu_devices", replicas)  # one processor, shared by virtual devices
        # Auto: XLA decides where what is computed lies; left alone, JAX wants the implementation to say it.
        axes, devices = (AxisType.Auto,), jax.devices(device)[:replicas]
        mesh = jax.make_mesh((replicas,), ("replica",), axis_types=axes, devices=devices)
        self.everywhere = NamedSharding(mesh, PartitionSpec())
        self.shared = NamedSharding(mesh, PartitionSpec("replica"))
        super().__init__(implementation, workload, variants, device, dropout, seed)

    def load_parameters(self, parameters):
        super().load_parameters(parameters)
        for part in (self.network, self.optimizer):
            nnx.update(part, jax.device_put(nnx.state(part), self.everywhere))

    def load_optimizer_state(self, arrays):
        super().load_optimizer_state(arrays)
        nnx.update(self.optimizer, jax.device_put(nnx.state(self.optimizer), self.everywhere))

    def reseed(self, seed):
        super().reseed(seed)
        nnx.update(self.network, jax.device_put(nnx.state(self.network), self.everywhere))

    def train(self, batches):
        return super().train(tuple(jax.device_put(part, self.shared) for part in batch) for batch in batches)
