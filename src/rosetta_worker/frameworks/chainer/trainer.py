"""The methods in Chainer."""

import contextlib
import itertools

import chainer
import numpy as np
from chainer.functions.noise.dropout import Dropout

from . import parameters as layout


class Trainer:
    """A ``chainer.Chain`` and one of Chainer's optimisers in a plain loop."""

    def __init__(self, implementation, workload, variants, device, dropout, seed):
        if device != "cpu":
            raise RuntimeError("Chainer runs on a GPU only with CuPy, which its environment doesn't have")
        np.random.seed(seed)  # initialisers and dropout draw from NumPy's global generator
        chainer.global_config.dtype = np.dtype(workload["dtype"])
        self.implementation = implementation
        self.trained = workload["trained"]
        self.batch_size = workload["batch_size"]
        self.specifications = workload["parameters"]
        self.trainable = [p for p in self.specifications if p["trainable"]]
        self.training = contextlib.nullcontext() if dropout else NoDropout()
        self.network = implementation.Network(**workload["options"])

    def load_parameters(self, parameters):
        layout.load(self.network, parameters, self.specifications)
        if self.trained:
            self.optimizer = self.implementation.make_optimizer(self.network)

    def parameters(self):
        return layout.values(self.network, self.specifications)

    def predict(self, inputs):
        with chainer.using_config("train", False), chainer.no_backprop_mode():
            return self.network(*inputs).array

    def loss_and_gradients(self, inputs, labels):
        with chainer.using_config("train", False):
            loss = self.implementation.loss_function(self.network(*inputs), labels.astype(np.int32))
            self.network.cleargrads()
            loss.backward()
        gradients = layout.gradients(self.network, self.trainable)
        self.network.cleargrads()
        return float(loss.array), gradients

    def prepare(self, inputs, labels):
        return list(zip(*inputs, labels.astype(np.int32)))

    def train(self, batches):
        with self.training:
            return np.array(self.implementation.train(self.network, self.optimizer, batches))

    def reseed(self, seed):
        np.random.seed(seed)

    def optimizer_state(self):
        serializer = chainer.serializers.DictionarySerializer()
        serializer.save(self.optimizer)
        return {name: np.array(value) for name, value in serializer.target.items()}  # counts come as plain numbers

    def load_optimizer_state(self, arrays):
        chainer.serializers.NpzDeserializer(arrays).load(self.optimizer)

    def set_steps_done(self, steps):
        self.optimizer.t = steps
        for parameter in self.network.params():
            parameter.update_rule.t = steps

    def open_files(self, images, labels):
        self.iterator = self.implementation.make_iterator(images, labels, self.batch_size)

    def train_from_files(self, steps):
        return self.train(self.next_batches(steps))

    def loaded(self, steps):
        images, labels = zip(*self.next_batches(steps))
        return np.stack(images), np.stack(labels)

    def next_batches(self, steps):
        return map(chainer.dataset.concat_examples, itertools.islice(self.iterator, steps))

    def prepare_inputs(self, inputs):
        return list(zip(*inputs))

    def infer(self, batches):
        return np.concatenate(self.implementation.predict(self.network, batches))


class NoDropout(chainer.FunctionHook):
    """Sets every dropout's ratio to zero; ``using_config("train", False)`` would change batch normalisation too."""

    name = "NoDropout"

    def forward_preprocess(self, function, in_data):
        if isinstance(function, Dropout):
            function.dropout_ratio = 0.0
