"""The trainer's methods in Keras 3."""

import importlib
import os

os.environ["KERAS_HOME"] = os.devnull  # a keras.json in the user's home is neither read nor written

import keras
import numpy as np

from rosetta_worker.layouts import images_to_channels_last
from rosetta_worker.variants import value_of

from . import parameters as layout
from . import patches

DTYPES = {"pixels": "float32", "tokens": "int32"}

backend = importlib.import_module(".backend_" + keras.config.backend(), __package__)


class Trainer:
    """A compiled ``keras.Model``, trained by ``fit``; one that isn't trained is asked by ``predict``."""

    def __init__(self, implementation, workload, variants, device, dropout, seed, replicas=1):
        backend.use(device, replicas, workload["dtype"], "tf32" in variants)
        keras.config.set_floatx(workload["dtype"])
        keras.config.set_dtype_policy("mixed_bfloat16" if "bf16" in variants else workload["dtype"])
        keras.utils.set_random_seed(seed)
        self.implementation = implementation
        self.batch_size = workload["batch_size"]
        self.specifications = workload["parameters"]
        self.trainable = [p for p in self.specifications if p["trainable"]]
        self.model = implementation.make_model(**workload["options"])
        # What a user gives to compile() is set where compile() keeps it: implementations have one for all.
        if "compile" in variants or "nojit" in variants:
            self.model.jit_compile = "compile" in variants
        if "steps_per_execution" in variants:
            self.model.steps_per_execution = int(value_of(variants, "steps_per_execution") or 1)
        if not dropout:
            for layer in self.model.layers:
                if isinstance(layer, keras.layers.Dropout):
                    layer.rate = 0.0
        self.variables = {p["name"]: layout.variable(self.model, p) for p in self.specifications}
        self.zeros = as_fed([np.zeros((self.batch_size, *i["shape"]), DTYPES[i["kind"]]) for i in workload["inputs"]])
        self.optimizer_start = []
        if workload["trained"]:
            if keras.config.backend() == "tensorflow":
                patches.sum_gradients_by_token(self.model.optimizer)
            self.model.optimizer.build(self.model.trainable_variables)
            self.optimizer_start = [(v, keras.ops.convert_to_numpy(v).copy()) for v in self.model.optimizer.variables]

    def load_parameters(self, parameters):
        for p in self.specifications:
            layout.load(self.variables[p["name"]], parameters[p["name"]], p)
        for variable, start in self.optimizer_start:
            variable.assign(start)

    def parameters(self):
        values = [self.variables[p["name"]] for p in self.specifications]
        return canonical(values, self.specifications)

    def predict(self, inputs):
        return np.asarray(self.model.predict_on_batch(as_fed(inputs)))

    def loss_and_gradients(self, inputs, labels):
        loss, gradients = backend.loss_and_gradients(self.model, as_fed(inputs), labels)
        by_variable = {id(v): g for v, g in zip(self.model.trainable_variables, gradients)}
        wanted = [by_variable[id(self.variables[p["name"]])] for p in self.trainable]
        return float(loss), canonical(wanted, self.trainable)

    def prepare(self, inputs, labels):
        return self.prepare_inputs(inputs), labels.reshape(-1, *labels.shape[2:])

    def prepare_inputs(self, inputs):
        return as_fed([array.reshape(-1, *array.shape[2:]) for array in inputs])

    def train(self, batches):
        """Return the one mean loss that ``fit`` reports; to report it, ``fit`` waits for the device."""
        inputs, labels = batches
        return np.array(self.implementation.train(self.model, inputs, labels, self.batch_size))

    def open_files(self, images, labels):
        self.loader = self.implementation.make_loader(images, labels, self.batch_size)

    def train_from_files(self, steps):
        return np.array(self.implementation.train_from_loader(self.model, self.loader, steps))

    def loaded(self, steps):
        """Have ``fit`` feed a model that only keeps its batches."""
        keeper = Keeper()
        keeper.compile(run_eagerly=True)
        self.implementation.train_from_loader(keeper, self.loader, steps)
        images, labels = zip(*keeper.batches)
        return np.stack(images).transpose(0, 1, 4, 2, 3), np.stack(labels)

    def infer(self, inputs):
        """Return when the features are in the host's memory, where ``predict`` brings them."""
        return self.implementation.predict(self.model, inputs, self.batch_size)

    def reseed(self, seed):
        """On PyTorch dropout draws from the global random numbers, else from its layer's own."""
        keras.utils.set_random_seed(seed)
        for index, layer in enumerate(self.model.layers):
            if isinstance(layer, keras.layers.Dropout):
                layer.seed_generator.state.assign(np.array([seed, index], "uint32"))

    def optimizer_state(self):
        return {str(i): keras.ops.convert_to_numpy(v) for i, v in enumerate(self.model.optimizer.variables)}

    def load_optimizer_state(self, arrays):
        # The first call of fit or evaluate builds the loss and draws random numbers for that, on PyTorch: not in fit.
        # A whole batch, for replicas to share.
        labels = np.zeros((self.batch_size, *self.model.output_shape[1:-1]), np.int64)
        self.model.evaluate(self.zeros, labels, self.batch_size, verbose=0)
        for index, variable in enumerate(self.model.optimizer.variables):
            variable.assign(arrays[str(index)])

    def set_steps_done(self, steps):
        self.model.optimizer.iterations.assign(steps)

    def own_weights(self):
        return {name: keras.ops.convert_to_numpy(v) for name, v in layout.own_variables(self.model).items()}

    def load_own_weights(self, arrays):
        found = layout.own_variables(self.model)
        if found.keys() != arrays.keys():
            raise ValueError("these weights don't fit: " + ", ".join(sorted(found.keys() ^ arrays.keys())[:3]))
        for name, variable in found.items():
            variable.assign(arrays[name])

    def save(self, file):
        """Write the whole model, or with the suffix .weights.h5 its weights alone."""
        if file.endswith(".weights.h5"):
            self.model.save_weights(file)
        else:
            self.model.save(file)

    def restore(self, file):
        self.model.load_weights(file)


class Keeper(keras.Model):
    """A model without a weight, which keeps what it should train on."""

    def __init__(self):
        super().__init__()
        self.batches = []
        self.built = True  # or fit takes a batch to build it by, and gives what was read ahead by then a second time

    def call(self, inputs):
        return inputs

    def train_step(self, *state_and_data):
        """On JAX a step is given the state of training, too, and returns it."""
        *state, data = state_and_data
        self.batches.append(tuple(map(keras.ops.convert_to_numpy, data)))
        return ({"loss": 0.0}, *state) if state else {"loss": 0.0}


def as_fed(inputs):
    """Return what a model is fed: an array, or a list where it has several inputs; images channels last."""
    arrays = [images_to_channels_last(array) for array in inputs]
    return arrays if len(arrays) > 1 else arrays[0]


def canonical(tensors, specifications):
    """Turn variables or gradients into canonical arrays by name."""
    arrays = map(keras.ops.convert_to_numpy, tensors)
    return {p["name"]: layout.canonical(array, p) for p, array in zip(specifications, arrays)}
