"""Everything that is patched in Keras, each patch with upstream's issue where there is one; seen in Keras 3.15.1."""

import keras


def sum_gradients_by_token(optimizer):
    """Give the optimiser the sum of the gradients of a token that occurs several times.

    TensorFlow keeps an embedding's gradient apart by occurrence (tf.IndexedSlices). Keras' optimisers take it like that
    since keras pull request 18692, and Adam squares each part, where it should square the sum; no issue says so.
    """
    import tensorflow as tf

    update_step = optimizer.update_step

    def update_step_of_sums(gradient, variable, learning_rate):
        update_step(tf.convert_to_tensor(gradient), variable, learning_rate)

    optimizer.update_step = update_step_of_sums


def keep_loader_from_dropout():
    """Give fit's loader, which draws a seed for processes that it doesn't have, random numbers of its own.

    Else dropout's would depend on how many calls of fit an epoch is cut into. That a loader draws from everybody's
    random numbers is PyTorch's way (pytorch issue 36998); Keras has no public name for the loader.
    """
    import torch
    from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter

    make_loader = ArrayDataAdapter.get_torch_dataloader

    def make_loader_with_generator(adapter):
        loader = make_loader(adapter)
        loader.generator = torch.Generator()
        return loader

    ArrayDataAdapter.get_torch_dataloader = make_loader_with_generator


def drop_differently(strategy, model, seed):
    """Have each replica of a MirroredStrategy drop other units.

    Left alone, Keras drops the same ones in every part of a batch: each replica has its own copy of a layer's seed
    (keras issue 20611), and all copies start alike.
    """
    import tensorflow as tf

    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]

    def differ():
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        for index, layer in enumerate(layers):
            state = layer.seed_generator.state.value
            state.assign(tf.cast([seed + 1000 * replica, index], state.dtype))

    strategy.run(differ)


def let_results_be_float64(wanted):
    """Have operations on float64 give float64, or float32 again, as Keras has it on all back ends but TensorFlow.

    There Keras' rules of promotion end in float32, as JAX's do by default: a matrix product of float64 on PyTorch too.
    """
    from keras.src.backend.common import dtypes

    of_keras = "float64" if keras.config.backend() == "tensorflow" else "float32"
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64" if wanted else of_keras
