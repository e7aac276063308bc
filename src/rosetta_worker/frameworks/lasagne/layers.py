"""A layer that Lasagne 0.1 doesn't have, written as its users write layers of their own."""

import lasagne
from lasagne.init import Constant
from theano.tensor.nnet.bn import batch_normalization_test, batch_normalization_train


class BatchNormLayer(lasagne.layers.Layer):
    """Batch normalisation over batch, height and width by Theano's functions; Lasagne 0.1 has none."""

    def __init__(self, incoming, epsilon, momentum=0.99, **kwargs):
        super().__init__(incoming, **kwargs)
        self.epsilon = epsilon
        self.momentum = momentum
        size = (self.input_shape[1],)
        self.gamma = self.add_param(Constant(1), size, "gamma")
        self.beta = self.add_param(Constant(0), size, "beta", regularizable=False)
        self.mean = self.add_param(Constant(0), size, "mean", trainable=False, regularizable=False)
        self.var = self.add_param(Constant(1), size, "var", trainable=False, regularizable=False)

    def get_output_for(self, input, deterministic=False, **kwargs):
        """Normalise by the running statistics if deterministic, else by the batch's, and note the new running ones."""
        if deterministic:
            return batch_normalization_test(
                input, self.gamma, self.beta, self.mean, self.var, axes="spatial", epsilon=self.epsilon
            )
        output, _, _, mean, var = batch_normalization_train(
            input,
            self.gamma,
            self.beta,
            axes="spatial",
            epsilon=self.epsilon,
            running_average_factor=1 - self.momentum,
            running_mean=self.mean,
            running_var=self.var,
        )
        self.updates = {self.mean: mean, self.var: var}
        return output


def running_statistics(network):
    """Return the updates of all normalisations' running statistics, once ``get_output`` was asked for training."""
    updates = {}
    for layer in lasagne.layers.get_all_layers(network):
        if isinstance(layer, BatchNormLayer):
            updates.update(layer.updates)
    return updates
