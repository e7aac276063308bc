"""The methods in Keras 2."""

import importlib
import inspect

from . import shims  # noqa: F401

# isort: split
import numpy as np
from keras import backend as K
from keras.layers import Dropout
from keras.utils import to_categorical

from . import parameters as layout

K.set_image_data_format("channels_first")  # which all three back ends compute in
# The loss takes a smaller probability for this one, 1e-7 unless told otherwise, with a gradient of 0.
K.set_epsilon(1e-20)

backend = importlib.import_module(".backend_" + K.backend(), __package__)


class Trainer:
    """A compiled ``keras.models.Model``, trained by ``fit``; one that isn't trained is asked by ``predict``."""

    def __init__(self, implementation, workload, variants, device, dropout, seed):
        K.set_floatx(backend.use(workload["dtype"]))
        np.random.seed(seed)
        backend.seed(seed)
        self.implementation = implementation
        self.batch_size = workload["batch_size"]
        self.trained = workload["trained"]
        self.specifications = workload["parameters"]
        self.trainable = [p for p in self.specifications if p["trainable"]]
        self.model = implementation.make_model(**sizes(implementation.make_model, workload))
        if not dropout and any(isinstance(layer, Dropout) for layer in self.model.layers):
            self.model = without_dropout(self.model)
        backend.seed(seed)
        self.variables = {p["name"]: layout.variable(self.model, p) for p in self.specifications}
        self.predict_on_batch = backend.make_predict(self.model) if self.trained else self.model.predict_on_batch

    def load_parameters(self, parameters):
        values = self.values()
        for p in self.specifications:
            value = values[self.variables[p["name"]].name]
            value[layout.row(p)] = layout.from_canonical(parameters[p["name"]], p)
        for variable in self.variables.values():
            backend.assign(variable, values[variable.name])
        if self.trained:
            backend.restart(self.model)

    def parameters(self):
        values = self.values()
        arrays = [values[self.variables[p["name"]].name] for p in self.specifications]
        return canonical(arrays, self.specifications)

    def values(self):
        """Return copies of the variables' arrays by name; a GRU's two biases share a variable."""
        variables = list({v.name: v for v in self.variables.values()}.values())
        arrays = K.batch_get_value(variables)
        return {v.name: np.array(array) for v, array in zip(variables, arrays)}

    def predict(self, inputs):
        return np.asarray(self.predict_on_batch(in_precision(inputs)))

    def loss_and_gradients(self, inputs, labels):
        variables = {v.name: v for v in (self.variables[p["name"]] for p in self.trainable)}
        loss, gradients = backend.loss_and_gradients(
            self.model, in_precision(inputs), self.one_hot(labels), list(variables.values())
        )
        by_name = dict(zip(variables, map(np.asarray, gradients)))
        arrays = [by_name[self.variables[p["name"]].name] for p in self.trainable]
        return float(loss), canonical(arrays, self.trainable)

    def prepare(self, inputs, labels):
        return self.prepare_inputs(inputs), self.one_hot(labels.reshape(-1))

    def prepare_inputs(self, inputs):
        fed = in_precision([array.reshape(-1, *array.shape[2:]) for array in inputs])
        return fed if len(fed) > 1 else fed[0]

    def train(self, batches):
        """Return the one mean loss that ``fit`` reports."""
        inputs, labels = batches
        losses = self.implementation.train(self.model, inputs, labels, self.batch_size)
        backend.wait()
        return np.array(losses)

    def open_files(self, images, labels):
        self.loader = self.implementation.make_loader(images, labels, self.batch_size)

    def train_from_files(self, steps):
        losses = self.implementation.train_from_loader(self.model, self.loader, steps)
        backend.wait()
        return np.array(losses)

    def loaded(self, steps):
        """Have ``fit_generator`` feed a model that, for this once, keeps its batches and doesn't train on them."""
        kept = []

        def keep(images, labels, **options):
            kept.append((images, labels.argmax(-1)))
            return 0.0

        self.model.train_on_batch = keep
        try:
            self.implementation.train_from_loader(self.model, self.loader, steps)
        finally:
            del self.model.train_on_batch
        images, labels = zip(*kept)
        return np.stack(images), np.stack(labels)

    def reseed(self, seed):
        backend.reseed(self.model, seed)

    def optimizer_state(self):
        return backend.optimizer_state(self.model)

    def load_optimizer_state(self, arrays):
        backend.load_optimizer_state(self.model, arrays)

    def set_steps_done(self, steps):
        backend.set_steps_done(self.model, steps)

    def infer(self, inputs):
        """Return when the features are in the host's memory, where ``predict`` brings them."""
        return self.implementation.predict(self.model, inputs, self.batch_size)

    def one_hot(self, labels):
        return to_categorical(labels, self.model.output_shape[-1], dtype=K.floatx())


def sizes(make_model, workload):
    """Return those of the workload's sizes that a network asks for: its options, and how many tokens an input has."""
    lengths = {x["name"] + "_length": x["shape"][0] for x in workload["inputs"] if x["kind"] == "tokens"}
    known = {**lengths, **workload["options"]}
    return {name: known[name] for name in inspect.signature(make_model).parameters}


def in_precision(inputs):
    """Return the inputs as a list, pixels in the precision of all arithmetic."""
    return [x.astype(K.floatx(), copy=False) if x.dtype.kind == "f" else x for x in inputs]


def canonical(arrays, specifications):
    """Turn the arrays of variables or gradients into canonical ones by name."""
    return {p["name"]: layout.canonical(array, p) for p, array in zip(specifications, arrays)}


def without_dropout(model):
    """Build and compile the model again from its configuration, all dropout rates as good as zero.

    At zero the layer hands on its input as it is, which Keras-MXNet can't. 1 - 1e-30 is 1, so nothing is dropped.
    """
    config = model.get_config()
    for layer in config["layers"]:
        if layer["class_name"] == "Dropout":
            layer["config"]["rate"] = 1e-30
    plain = type(model).from_config(config)
    plain.compile(loss=model.loss, optimizer=model.optimizer)
    return plain
