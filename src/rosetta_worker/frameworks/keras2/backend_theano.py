"""What Keras 2 leaves to the user of its Theano back end: precision, gradients without an update, a fresh start."""

import numpy as np
import theano
from keras import backend as K
from keras.models import Model


def use(dtype):
    """Compute in this precision from here on; return it."""
    theano.config.floatX = dtype
    return dtype


def seed(seed):
    """Do nothing: Keras draws the seeds of Theano's random streams from NumPy."""


def assign(variable, array):
    """Set a variable."""
    K.set_value(variable, array)


def restart(model):
    """Forget what the optimiser has accumulated; it all begins as zeros."""
    model.optimizer.set_weights([np.zeros_like(weight) for weight in model.optimizer.get_weights()])


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
