"""The methods in CNTK."""

import functools
import inspect
import itertools
import os
import tempfile

from . import shims  # noqa: F401 (first, for CNTK 2.7 was made for Python 3.6)

# isort: split

import cntk as C
import numpy as np

from . import parameters as layout
from .evaluation import as_evaluated


class Trainer:
    """The variables and functions of a network, and a ``C.Trainer`` that is fed one minibatch after another."""

    def __init__(self, implementation, workload, variants, device, dropout, seed):
        C.device.try_set_default_device(C.device.cpu())
        C.cntk_py.set_fixed_random_seed(seed)
        self.implementation = implementation
        self.specifications = workload["parameters"]
        self.trainable = [p for p in self.specifications if p["trainable"]]
        self.trained = workload["trained"]
        self.dtype = np.dtype(workload["dtype"]).type

        self.minibatch_size = workload["batch_size"]
        with C.default_options(dtype=self.dtype):
            self.network = self.sized(implementation.create_network)(**workload["options"])
        self.inputs = [self.network[spec["name"]] for spec in workload["inputs"]]
        self.model = self.network["output"]
        self.tensors = layout.tensors(self.model, self.specifications)
        self.sample_counts = [c for c in self.model.constants if c.name == "aggregate_count"]

        self.dropouts = [layer.block_root for layer in layout.layers(self.model) if layer.op_name == "Dropout"]
        self.dropout_seeds = itertools.count(seed)
        if not dropout:
            for function in self.dropouts:
                function.set_attribute("dropoutRate", 0.0)

    def load_parameters(self, parameters):
        for p in self.specifications:
            layout.set_value(self.tensors[p["name"]], layout.from_canonical(parameters[p["name"]], p))
        for count in self.sample_counts:
            layout.set_value(count, np.ones(()))  # at zero, the first minibatch would replace the running statistics
        for function in self.dropouts:
            function.set_attribute("rngSeed", next(self.dropout_seeds))  # else it draws what it drew for the last one
        if self.trained:
            self.trainer = None
            with C.default_options(dtype=self.dtype):
                self.trainer = self.sized(self.implementation.create_trainer)(self.network)

    def sized(self, create):
        """Tell it how large a minibatch is if it asks: in CNTK much is counted in samples, or summed over them."""
        if "minibatch_size" in inspect.signature(create).parameters:
            return functools.partial(create, minibatch_size=self.minibatch_size)
        return create

    def parameters(self):
        values = {p["name"]: self.tensors[p["name"]].value for p in self.specifications}
        return canonical(values, self.specifications)

    def predict(self, inputs):
        return self.model.eval(dict(zip(self.inputs, map(self.as_fed, inputs))))

    def loss_and_gradients(self, inputs, labels):
        with C.default_options(dtype=self.dtype):
            loss = as_evaluated(self.network["loss"])
        arguments = dict(zip([*self.inputs, self.network["label"]], [*map(self.as_fed, inputs), self.one_hot(labels)]))
        tensors = [self.tensors[p["name"]] for p in self.trainable]
        sums, losses = loss.grad(arguments, wrt=tensors, outputs=[loss.output])
        means = {p["name"]: sums[tensor] / len(labels) for p, tensor in zip(self.trainable, tensors)}
        return np.mean(losses, dtype=np.float64), canonical(means, self.trainable)

    def prepare(self, inputs, labels):
        return list(zip(*map(self.as_fed, inputs), self.one_hot(labels)))

    def train(self, batches):
        """Return the losses; on the CPU, CNTK's calls return when all is done."""
        return np.array(self.implementation.train(self.trainer, self.network, batches))

    def reseed(self, seed):
        for index, function in enumerate(self.dropouts):
            function.set_attribute("rngSeed", seed * len(self.dropouts) + index)

    def optimizer_state(self):
        """Return the file of CNTK's own checkpoint of the learner, and the constants that it leaves out."""
        (learner,) = self.trainer.parameter_learners
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "checkpoint")
            learner.create_checkpoint().save(file)  # a protocol buffer
            checkpoint = np.fromfile(file, np.uint8)
        constants = self.network.get("learner_state", [])
        return {"checkpoint": checkpoint, **{str(index): constant.value for index, constant in enumerate(constants)}}

    def load_optimizer_state(self, arrays):
        (learner,) = self.trainer.parameter_learners
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "checkpoint")
            arrays["checkpoint"].tofile(file)
            learner.restore_from_checkpoint(C.cntk_py.Dictionary.load(file))
        for index, constant in enumerate(self.network.get("learner_state", [])):
            layout.set_value(constant, arrays[str(index)])

    def set_steps_done(self, steps):
        """Set the count in CNTK's checkpoint, and the one single number that the folder's own optimiser keeps."""
        (learner,) = self.trainer.parameter_learners
        checkpoint = learner.create_checkpoint()
        checkpoint["smoothed_count"] = float(steps)
        learner.restore_from_checkpoint(checkpoint)
        for constant in self.network.get("learner_state", []):
            if not constant.shape:
                layout.set_value(constant, np.full((), steps))

    def prepare_inputs(self, inputs):
        return list(zip(*map(self.as_fed, inputs)))

    def infer(self, batches):
        return np.concatenate(self.implementation.predict(self.network, batches))

    def as_fed(self, array):
        """Return pixels, or tokens, in the network's floats: CNTK takes no integers."""
        return np.ascontiguousarray(array, self.dtype)

    def one_hot(self, labels):
        """Return labels, (…), as CNTK's loss wants them, (…, classes)."""
        return np.eye(self.network["label"].shape[0], dtype=self.dtype)[labels]


def canonical(values, specifications):
    """Turn the arrays of parameters or gradients into canonical ones."""
    return {p["name"]: layout.to_canonical(values[p["name"]], p) for p in specifications}
