"""What Keras 2 leaves to the user of its CNTK back end: precision, gradients without an update, a fresh start."""

import cntk
import numpy as np
from cntk.logging.graph import depth_first_search
from keras import backend as K
from keras.models import Model


def use(dtype):
    """Return float32, whatever is asked for: Keras' stand-ins for CNTK's gradients have no other precision."""
    return "float32"


def seed(seed):
    """Seed the dropout of the layers made from here on, each by the next number; a fixed one would be that of all."""
    cntk.cntk_py.reset_random_seed(seed)


def reseed(model, seed):
    """Seed the dropout of the layers that there are, each with a number of its own."""
    for index, function in enumerate(depth_first_search(model.total_loss, is_dropout)):
        function.set_attribute("rngSeed", seed * 1000 + index)


def is_dropout(node):
    """Return whether a node of CNTK's graph drops something."""
    return isinstance(node, cntk.Function) and node.op_name == "Dropout"


def assign(variable, array):
    """Set a variable."""
    K.set_value(variable, np.ascontiguousarray(array, dtype=variable.dtype))


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
    K.learning_phase().value = np.zeros((), np.float32)
    placeholders = model._feed_inputs + model._feed_targets + model._feed_sample_weights
    arrays = [np.asarray(x, np.float32) for x in (*inputs, labels, np.ones(len(labels)))]
    values = dict(zip(placeholders, arrays))
    fed = {argument: values[argument] for argument in model.total_loss.arguments}
    gradients = model.total_loss.grad(fed, wrt=variables)
    return model.total_loss.eval(fed), [gradients[variable] for variable in variables]


def wait():
    """Do nothing: CNTK's trainer returns when it has finished."""
