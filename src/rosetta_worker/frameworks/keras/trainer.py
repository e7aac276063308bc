"""The verbs in Keras 3."""

import importlib
import os

os.environ["KERAS_HOME"] = os.devnull  # a keras.json in the user's home is neither read nor written

import keras
import numpy as np

from rosetta_worker.layouts import images_to_channels_last

from . import parameters as layout

backend = importlib.import_module(".backend_" + keras.config.backend(), __package__)


class Trainer:
    """A compiled ``keras.Model``, trained by ``fit``."""

    def __init__(self, implementation, workload, variants, device, dropout, seed):
        backend.use(device)
        keras.utils.set_random_seed(seed)
        self.implementation = implementation
        self.specifications = workload["parameters"]
        self.model = implementation.make_model()
        if not dropout:
            for layer in self.model.layers:
                if isinstance(layer, keras.layers.Dropout):
                    layer.rate = 0.0
        self.variables = [layout.variable(self.model, p) for p in self.specifications]
        self.model.optimizer.build(self.model.trainable_variables)
        self.optimizer_start = [keras.ops.convert_to_numpy(v).copy() for v in self.model.optimizer.variables]

    def load_parameters(self, parameters):
        for variable, p in zip(self.variables, self.specifications):
            variable.assign(layout.from_canonical(parameters[p["name"]], p))
        for variable, start in zip(self.model.optimizer.variables, self.optimizer_start):
            variable.assign(start)

    def parameters(self):
        return self.canonical(self.variables)

    def predict(self, inputs):
        return np.asarray(self.model.predict_on_batch(images_to_channels_last(inputs)))

    def loss_and_gradients(self, inputs, labels):
        loss, gradients = backend.loss_and_gradients(self.model, images_to_channels_last(inputs), labels)
        by_variable = {id(v): g for v, g in zip(self.model.trainable_variables, gradients)}
        return float(loss), self.canonical([by_variable[id(variable)] for variable in self.variables])

    def prepare(self, inputs, labels):
        images = images_to_channels_last(inputs)
        return images.reshape(-1, *images.shape[2:]), labels.reshape(-1)

    def train(self, batches):
        """Return the one mean loss that ``fit`` reports; to report it, ``fit`` waits for the device."""
        images, labels = batches
        return np.array(self.implementation.train(self.model, images, labels))

    def canonical(self, tensors):
        arrays = map(keras.ops.convert_to_numpy, tensors)
        return {p["name"]: layout.to_canonical(array, p) for p, array in zip(self.specifications, arrays)}
