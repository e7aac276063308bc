"""An optimiser's state as arrays and back; MXNet itself would pickle it."""

import mxnet as mx
import numpy as np


def to_arrays(updater):
    """Name each by the index of its parameter and, where a parameter has several, its place among them."""
    arrays = {"updates": np.array(updater.optimizer.num_update)}
    for index, state in updater.states.items():
        if isinstance(state, tuple):
            arrays.update({f"{index}.{place}": tensor.asnumpy() for place, tensor in enumerate(state)})
        else:
            arrays[str(index)] = state.asnumpy()
    return arrays


def load(updater, arrays):
    """Give the states to an updater that has none yet; it copies them to where the parameters are."""
    # An optimiser counts the updates of every parameter from here on.
    updater.optimizer.begin_num_update = updater.optimizer.num_update = int(arrays["updates"])
    for name in sorted(name for name in arrays if name != "updates"):
        index, dot, _ = name.partition(".")
        state = mx.nd.array(arrays[name], dtype=arrays[name].dtype)
        updater.states[int(index)] = (*updater.states.get(int(index), ()), state) if dot else state
    updater.states_synced = dict.fromkeys(updater.states, False)


def set_steps_done(updater, steps):
    """Set the count of each parameter's updates, and the one that those not yet updated begin from."""
    optimizer = updater.optimizer
    optimizer.begin_num_update = optimizer.num_update = steps
    for index in optimizer._index_update_count:
        optimizer._index_update_count[index] = steps
