"""A network of the user's own, trained or asked by a step that XLA compiles whole."""

import jax
import numpy as np
from flax import nnx
from jax import numpy as jnp

from rosetta_worker.own_network import in_layout, own_code

from .own_network import OwnNetwork
from .own_training import made_optimizer


class OwnTrainer(OwnNetwork):
    """An ``nnx.Module`` and an ``nnx.Optimizer``, also one made of an Optax transformation, in an ``nnx.jit`` step."""

    def __init__(self, make, training, example, device, seed, channels_last):
        jax.config.update("jax_default_device", jax.devices(device)[0])
        jax.config.update("jax_default_matmul_precision", "highest")
        jax.config.update("jax_enable_x64", False)
        self.dtype = jnp.float32
        self.channels_last = channels_last
        self.network = make(lambda found: isinstance(found, nnx.Module), "an nnx.Module", {"rngs": nnx.Rngs(seed)})
        self.training = training() if training else None
        self.train_step = nnx.jit(self.trained)
        self.predict_step = nnx.jit(asked)

    def load_parameters(self, arrays):
        self.load_own_weights(arrays)
        if self.training:
            self.network.train()
            # Kept between calls: that the network hasn't changed its form isn't found out anew in each.
            self.step = nnx.cached_partial(self.train_step, self.network, made_optimizer(self.training, self.network))
        else:
            self.network.eval()
            self.step = nnx.cached_partial(self.predict_step, self.network)

    def trained(self, network, optimizer, inputs, targets):
        def loss_of(network):
            return self.training.loss(network(*inputs), *targets)

        loss, gradients = nnx.value_and_grad(loss_of)(network)
        optimizer.update(network, gradients)
        return loss

    def prepare(self, inputs, targets):
        steps = len(inputs[0])
        return list(zip(self.prepare_inputs(inputs), self.prepare_inputs(targets) if targets else [()] * steps))

    def train(self, batches):
        with own_code():
            losses = [self.step(inputs, targets) for inputs, targets in batches]
        jax.block_until_ready(nnx.state(self.network))
        return np.array(jax.device_get(losses))

    def prepare_inputs(self, inputs):
        arrays = [in_layout(array, self.channels_last) if array.ndim > 4 else array for array in inputs]
        arrays = [array.astype(np.int32) if array.dtype.kind == "i" else array for array in arrays]
        return list(zip(*arrays))

    def infer(self, batches):
        with own_code():
            jax.device_get([self.step(*inputs) for inputs in batches])

    def reseed(self, seed):
        nnx.reseed(self.network, default=seed)


def asked(network, *inputs):
    return network(*inputs)
