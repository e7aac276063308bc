"""What Keras 2 leaves to the user of its Theano back end: precision, gradients without an update, a fresh start."""

import numpy as np
import theano
from keras import backend as K
from keras.models import Model
from theano.gof import graph
from theano.sandbox.rng_mrg import MRG_RandomStreams


def use(dtype):
    """Compute in this precision from here on; return it."""
    theano.config.floatX = dtype
    return dtype


def seed(seed):
    """Do nothing: Keras draws the seeds of Theano's random streams from NumPy."""


def reseed(model, seed):
    """Set the states of dropout's random numbers, of which Keras keeps none, where they are in the graph of the loss.

    They are set as Theano would for a new source of random numbers, each dropout's far from the others'.
    """
    source = MRG_RandomStreams(np.random.RandomState(seed).randint(1, 2**30))
    for variable in graph.inputs([model.total_loss]):
        if hasattr(variable.tag, "is_rng"):
            variable.set_value(source.get_substream_rstates(len(variable.get_value()), K.floatx()))


def assign(variable, array):
    """Set a variable."""
    K.set_value(variable, array)


def restart(model):
    """Forget what the optimiser has accumulated; it all begins as zeros."""
    model.optimizer.set_weights([np.zeros_like(weight) for weight in model.optimizer.get_weights()])


def optimizer_state(model):
    """Return what the optimiser has accumulated; the count of its steps is the first."""
    return {str(index): array for index, array in enumerate(model.optimizer.get_weights())}


def load_optimizer_state(model, arrays):
    """Set what the optimiser had accumulated."""
    model._make_train_function()  # which makes the optimiser's variables; Keras' own load_model calls it, too
    model.optimizer.set_weights([arrays[str(index)] for index in range(len(arrays))])


def set_steps_done(model, steps):
    """Set the count of the optimiser's steps; what it has accumulated stays."""
    count, *others = model.optimizer.get_weights()
    model.optimizer.set_weights([np.full_like(count, steps), *others])


def make_predict(model):
    """Return a function from inputs to logits: what goes into the last layer, the softmax."""
    return Model(model.inputs, model.layers[-1].input).predict_on_batch


def loss_and_gradients(model, inputs, labels, variables):
    """Return the loss and its gradients for the variables, the network as in prediction."""
    placeholders = model._feed_inputs + model._feed_targets + model._feed_sample_weights + [K.learning_phase()]
    gradients = K.gradients(model.total_loss, variables)
    function = K.function(placeholders, [model.total_loss, *gradients])
    loss, *gradients = function([*inputs, labels, np.ones(len(labels)), 0])
    return loss, gradients


def wait():
    """Do nothing: Theano's functions return when they have finished."""
