"""What Keras 2 leaves to the user of its MXNet back end: gradients without an update, a fresh start, an end.

Keras-MXNet gives every model a ``Module`` of MXNet's with its own copies of the parameters. What Keras has no verb for
is asked of MXNet itself: the symbol is bound to Keras' arrays, into which the module's are fetched before.
"""

import functools
import json

import mxnet as mx
import numpy as np
from keras import backend as K

# Left alone, Keras-MXNet 2.2.4.3 has MXNet's default, which fixes the scale of a batch normalisation at 1.
mx.sym.BatchNorm = functools.partial(mx.sym.BatchNorm, fix_gamma=False)


@K.keras_mxnet_symbol
def expand_dims(x, axis=-1):
    """Insert an axis; Keras-MXNet's own takes a shape that it can't infer for one without axes, and -1 for 0."""
    return K.KerasSymbol(mx.sym.expand_dims(x.symbol, axis=axis))


K.expand_dims = expand_dims


def use(dtype):
    """Forget the networks before; compute in this precision, which each array has by itself; return it."""
    K.clear_session()
    return dtype


def seed(seed):
    """Seed the dropout; Keras-MXNet's Dropout layers do so too, when they are made, all with the same number."""
    mx.random.seed(seed)


def reseed(model, seed):
    """Seed the dropout of all layers, which draws from MXNet's one source of random numbers."""
    mx.random.seed(seed)


def assign(variable, array):
    """Set a variable; K.set_value would make it float32."""
    variable.bind(mx.nd.array(array, dtype=array.dtype))


def restart(model, steps=0):
    """Forget what the optimiser has accumulated, in the module and in its counters, which begin at ``steps``."""
    optimizer = model.optimizer
    optimizer.begin_num_update = optimizer.num_update = steps
    optimizer._index_update_count.clear()
    if model._module.binded:
        model._module.init_optimizer(kvstore=model._kvstore, optimizer=optimizer, force_init=True)


def optimizer_state(model):
    """Return what the optimiser has accumulated, by the number of the parameter; MXNet itself would pickle it."""
    arrays = {"steps": np.array(model.optimizer.num_update)}
    for index, state in updater(model).states.items():
        if isinstance(state, tuple):
            arrays.update({"{}.{}".format(index, part): value.asnumpy() for part, value in enumerate(state)})
        else:
            arrays[str(index)] = state.asnumpy()
    return arrays


def load_optimizer_state(model, arrays):
    """Set what the optimiser had accumulated, in the way of MXNet's ``Updater.set_states``."""
    if not model._module.binded:  # then it has no updater yet; the first batch makes one
        model.predict_on_batch([np.zeros((1, *x.shape[1:])) for x in model.inputs])
    restart(model, int(arrays["steps"]))
    states = {}
    for name in sorted(arrays.keys() - {"steps"}):
        index, _, part = name.partition(".")
        value = mx.nd.array(arrays[name], dtype=arrays[name].dtype)
        states[int(index)] = (*states.get(int(index), ()), value) if part else value
    updater(model).states = states
    updater(model).states_synced = dict.fromkeys(states, False)


def set_steps_done(model, steps):
    """Set the counts of the optimiser's steps; what it has accumulated stays."""
    optimizer = model.optimizer
    optimizer.begin_num_update = optimizer.num_update = steps
    for index in optimizer._index_update_count:
        optimizer._index_update_count[index] = steps


def updater(model):
    """Return what applies MXNet's optimiser and keeps its state; neither Keras nor MXNet has a public name for it."""
    return model._module._curr_module._updater


def make_predict(model):
    """Return a function from inputs to logits: what goes into the last layer, the softmax."""

    def predict(inputs):
        # Bound anew: oneDNN's fused convolutions keep the weights that they first met, whatever comes in their place.
        (logits,) = bind(model, model.layers[-1].input, model.inputs, inputs).forward(is_train=False)
        return logits.asnumpy()

    return predict


def loss_and_gradients(model, inputs, labels, variables):
    """Return the loss and its gradients for the variables, the network as in prediction."""
    placeholders = model.inputs + model.targets + model.sample_weights
    weights = mx.nd.ones(len(labels), dtype=labels.dtype)
    executor = bind(model, model.total_loss, placeholders, [*inputs, labels, weights], variables)
    (loss,) = executor.forward(is_train=True)  # else max-pooling keeps nothing for the way back
    executor.backward([mx.nd.ones_like(loss)])
    return loss.asnumpy().item(), [executor.grad_dict[variable.name].asnumpy() for variable in variables]


def bind(model, output, placeholders, values, variables=()):
    """Bind an output of the model, as it is in prediction, to values and to the model's parameters as they are now."""
    model._sync_weights()
    symbol = as_in_prediction(output._pred_sym)
    arrays = {x.name: mx.nd.array(value, dtype=x.dtype) for x, value in zip(placeholders, values)}
    arrays.update(model._args)
    return symbol.bind(
        mx.cpu(),
        args={name: arrays[name] for name in symbol.list_arguments()},
        args_grad={variable.name: mx.nd.zeros_like(arrays[variable.name]) for variable in variables},
        aux_states={name: model._auxs[name] for name in symbol.list_auxiliary_states()},
    )


def as_in_prediction(symbol):
    """Return the symbol without dropout and with batch normalisation by running statistics, however it is run."""
    graph = json.loads(symbol.tojson())
    for node in graph["nodes"]:
        if node["op"] == "Dropout":
            node["attrs"]["p"] = "0"
        if node["op"] == "BatchNorm":
            node["attrs"]["use_global_stats"] = "True"
    return mx.sym.load_json(json.dumps(graph))


def wait():
    """Return when MXNet has done all that it was given: Keras only waits for the losses."""
    mx.nd.waitall()
