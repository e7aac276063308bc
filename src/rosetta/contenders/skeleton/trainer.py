"""The methods that Rosetta calls. Arrays in and out are NumPy; parameters are canonical."""

import numpy as np

from .parameters import from_canonical, to_canonical


class Trainer:
    """A network and its optimiser: ``implementation`` is the module of the workload, such as ``mnist_mlp``."""

    def __init__(self, implementation, workload, variants, device, dropout, seed):
        self.implementation = implementation
        self.network = implementation.Network(seed=seed)
        if not dropout:
            self.network.dropout = 0.0

    def load_parameters(self, parameters):
        """Set all parameters and start the optimiser anew."""
        self.network.weights = from_canonical(parameters)
        self.optimizer = self.implementation.RMSprop(self.network.weights)

    def parameters(self):
        """Return all parameters."""
        return to_canonical(self.network.weights)

    def predict(self, inputs):
        """Return the logits, dropout off."""
        return self.network(*inputs)

    def loss_and_gradients(self, inputs, labels):
        """Return the loss and its gradients, dropout off; nothing is updated."""
        loss, gradients = self.network.loss_and_gradients(*inputs, labels)
        return loss, to_canonical(gradients)

    def prepare(self, inputs, labels):
        """Make a list of batches, before the clock starts."""
        return list(zip(*inputs, labels, strict=True))

    def train(self, batches):
        """Train on prepared batches and return the losses, when the device has finished."""
        return np.array(self.implementation.train(self.network, self.optimizer, batches))

    def reseed(self, seed):
        """Start dropout's random numbers anew; this and the next two let a killed training go on."""
        self.network.random = np.random.default_rng(seed)

    def optimizer_state(self):
        """Return what the optimiser has accumulated."""
        return self.optimizer.mean_squares

    def load_optimizer_state(self, arrays):
        """Set what the optimiser had accumulated."""
        self.optimizer.mean_squares.update(arrays)

    def set_steps_done(self, steps):
        """Set the count of steps that bias corrections or a rate depend on; this optimiser counts nothing."""
