"""The methods on MXNet's Module API."""

import itertools
import json

import mxnet as mx
import numpy as np

from . import parameters as layout
from . import states


class ModuleTrainer:
    """A ``mx.mod.Module`` whose symbol ends in a softmax, and one that shares its parameters and ends in the logits."""

    def __init__(self, implementation, workload, dropout):
        self.implementation = implementation
        self.trained = workload["trained"]
        self.dtype = workload["dtype"]
        self.specifications = workload["parameters"]
        self.symbol = implementation.make_symbol(**workload["options"])
        if not dropout:
            self.symbol = changed(self.symbol, "Dropout", p=0)
        self.batch_size = workload["batch_size"]
        dtypes = {"pixels": self.dtype, "tokens": "int32"}
        self.inputs = [
            mx.io.DataDesc(i["name"], (self.batch_size, *i["shape"]), np.dtype(dtypes[i["kind"]]))
            for i in workload["inputs"]
        ]
        self.labels = [mx.io.DataDesc("softmax_label", (self.batch_size,), np.dtype(self.dtype))]
        if not self.trained:
            self.module = self.predictor = implementation.make_module(self.symbol, self.inputs)
            return
        self.module = implementation.make_module(self.symbol, self.inputs, self.labels)
        self.bind_predictor()

    def bind_predictor(self):
        """Bind the logits with the module's parameters; oneDNN's GRU misses some of their later changes."""
        logits = self.symbol.get_children()[0]  # what goes into the softmax
        self.predictor = mx.mod.Module(logits, data_names=self.module.data_names, label_names=None)
        self.predictor.bind(self.inputs, for_training=False, shared_module=self.module)
        self.trained_since = False

    def load_parameters(self, parameters):
        states = self.symbol.list_auxiliary_states()
        names = self.symbol.list_arguments() + states
        arrays = layout.to_arguments(parameters, self.specifications, names)
        tensors = {name: mx.nd.array(array, dtype=self.dtype) for name, array in arrays.items()}
        self.module.set_params(
            {name: tensor for name, tensor in tensors.items() if name not in states},
            {name: tensor for name, tensor in tensors.items() if name in states},
        )
        if self.trained:
            self.trained_since = True
            self.module.optimizer_initialized = False  # else it would keep its optimiser
            self.implementation.init_optimizer(self.module)

    def parameters(self):
        arguments, states = self.module.get_params()
        return layout.from_arguments({**arguments, **states}, self.specifications)

    def predict(self, inputs):
        if self.trained and self.trained_since:
            self.bind_predictor()
        self.predictor.forward(mx.io.DataBatch(host_tensors(inputs)), is_train=False)
        return self.predictor.get_outputs()[0].asnumpy()

    def loss_and_gradients(self, inputs, labels):
        """Bind a second symbol in training mode: outside it oneDNN's max-pooling keeps nothing for its gradient."""
        symbol = changed(changed(self.symbol, "Dropout", p=0), "BatchNorm", use_global_stats=True)
        described = [*self.inputs, *self.labels]
        shapes = {d.name: d.shape for d in described}
        dtypes = {d.name: d.dtype for d in described}
        wanted = {name: "null" if name in shapes else "write" for name in symbol.list_arguments()}
        executor = symbol.simple_bind(mx.cpu(), grad_req=wanted, type_dict=dtypes, **shapes)
        executor.copy_params_from(*self.module.get_params())
        batch = {d.name: array for d, array in zip(described, (*inputs, labels))}
        probabilities = executor.forward(is_train=True, **batch)[0].asnumpy()
        executor.backward()

        loss = -np.log(probabilities[np.arange(len(labels)), labels]).mean()
        trainable = [p for p in self.specifications if p["trainable"]]
        gradients = layout.from_arguments(executor.grad_dict, trainable)
        # The gradients of MXNet's SoftmaxOutput are the sum over the batch; its modules' optimisers take the mean.
        return loss, {name: gradient / len(labels) for name, gradient in gradients.items()}

    def prepare(self, inputs, labels):
        labels = labels.astype(self.dtype)
        return [mx.io.DataBatch(host_tensors(batch), host_tensors([y])) for *batch, y in zip(*inputs, labels)]

    def train(self, batches):
        """Return the mean loss, for that is what a module's metric reports, when MXNet's engine has done everything."""
        self.trained_since = True
        loss = self.implementation.train(self.module, batches)
        mx.nd.waitall()
        return np.array([loss])

    def open_files(self, images, labels):
        self.batches = endless(self.implementation.make_loader(images, labels, self.batch_size))

    def train_from_files(self, steps):
        return self.train(itertools.islice(self.batches, steps))

    def loaded(self, steps):
        batches = itertools.islice(self.batches, steps)
        images, labels = zip(*((b.data[0].asnumpy(), b.label[0].asnumpy()) for b in batches))
        return np.stack(images), np.stack(labels)

    def reseed(self, seed):
        mx.random.seed(seed)

    def optimizer_state(self):
        return states.to_arrays(self.module._updater)  # MXNet has no public name for it

    def load_optimizer_state(self, arrays):
        states.load(self.module._updater, arrays)

    def set_steps_done(self, steps):
        states.set_steps_done(self.module._updater, steps)

    def prepare_inputs(self, inputs):
        return [mx.io.DataBatch(host_tensors(batch)) for batch in zip(*inputs)]

    def infer(self, batches):
        """Return when the outputs are in the host's memory, which waits for the engine."""
        return np.concatenate([outputs.asnumpy() for outputs in self.implementation.predict(self.module, batches)])


def changed(symbol, operation, **attributes):
    """Return a symbol whose operations of one kind have other attributes; it can only be changed as JSON."""
    graph = json.loads(symbol.tojson())
    for node in graph["nodes"]:
        if node["op"] == operation:
            node["attrs"].update({name: str(value) for name, value in attributes.items()})
    return mx.sym.load_json(json.dumps(graph))


def endless(iterator):
    """Yield an iterator's batches over and over."""
    while True:
        iterator.reset()
        yield from iterator


def host_tensors(arrays):
    """Copy arrays into MXNet's memory; left alone, MXNet makes everything float32."""
    return [mx.nd.array(array, dtype=array.dtype) for array in arrays]
