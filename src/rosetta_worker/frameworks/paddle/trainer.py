"""The methods in PaddlePaddle."""

import itertools

import numpy as np
import paddle
from paddle import nn

from . import parameters as layout


class Trainer:
    """An ``nn.Layer`` and a ``paddle.optimizer`` optimiser in a plain loop."""

    loader = None

    def __init__(self, implementation, workload, variants, device, dropout, seed):
        paddle.set_device("gpu" if device == "cuda" else device)
        paddle.seed(seed)
        paddle.set_default_dtype(workload["dtype"])
        self.implementation = implementation
        self.trained = workload["trained"]
        self.batch_size = workload["batch_size"]
        self.specifications = workload["parameters"]
        self.network = implementation.Network(**workload["options"])
        self.tensors = layout.tensors(self.network, self.specifications)
        if not dropout:
            for layer in self.network.sublayers():
                if isinstance(layer, nn.Dropout):
                    layer.p = 0.0
        self.as_graph = "to_static" in variants
        if self.as_graph:
            self.network = paddle.jit.to_static(self.network, full_graph=True)

    def load_parameters(self, parameters):
        layout.load(self.tensors, parameters, self.specifications)
        if self.trained:
            self.optimizer = self.implementation.make_optimizer(self.network)

    def parameters(self):
        return layout.canonical(self.tensors, self.specifications)

    def predict(self, inputs):
        self.network.eval()
        with paddle.no_grad():
            return self.network(*map(paddle.to_tensor, inputs)).numpy()

    def loss_and_gradients(self, inputs, labels):
        self.network.eval()
        for layer in self.network.sublayers():
            if isinstance(layer, (nn.LSTM, nn.GRU)):
                layer.train()  # else it has no backward pass; these layers have no dropout, so nothing else changes
        self.network.clear_gradients()
        paddle.jit.enable_to_static(False)  # nor has the graph of a network that isn't in training
        try:
            logits = self.network(*map(paddle.to_tensor, inputs))
        finally:
            paddle.jit.enable_to_static(True)
        loss = self.implementation.loss_function(logits, paddle.to_tensor(labels))
        loss.backward()
        trainable = [specification for specification in self.specifications if specification["trainable"]]
        gradients = {specification["name"]: self.tensors[specification["name"]].grad for specification in trainable}
        gradients = layout.canonical(gradients, trainable)
        self.network.clear_gradients()
        return float(loss), gradients

    def prepare(self, inputs, labels):
        return [tuple(map(paddle.to_tensor, batch)) for batch in zip(*inputs, labels)]

    def train(self, batches):
        losses = self.implementation.train(self.network, self.optimizer, batches)
        return paddle.stack(losses).numpy()

    def reseed(self, seed):
        paddle.seed(seed)
        if self.as_graph:
            # Its dropouts run at once and draw from one generator in any order, unless it is built to run serially.
            paddle.set_flags({"FLAGS_new_executor_serial_run": True})
            self.network.forward.rollback()
            self.network = paddle.jit.to_static(self.network, full_graph=True)

    def optimizer_state(self):
        """Name tensors by their place: PaddlePaddle's names hang on what else the process has made."""
        state = self.plain_optimizer().state_dict()
        schedule = state.pop("LR_Scheduler", {})
        arrays = {str(index): tensor.numpy() for index, tensor in enumerate(state.values())}
        return {**arrays, **{"LR_Scheduler." + name: np.array(value) for name, value in schedule.items()}}

    def load_optimizer_state(self, arrays):
        optimizer = self.plain_optimizer()
        # It makes and names its tensors in its first step: here one whose gradients are zero, which moves nothing.
        for parameter in self.network.parameters():
            if not parameter.stop_gradient:
                parameter.grad = paddle.zeros_like(parameter)
        optimizer.step()
        optimizer.clear_grad()
        state = optimizer.state_dict()
        schedule = state.pop("LR_Scheduler", {})
        state = {name: arrays[str(index)] for index, name in enumerate(state)}
        state["LR_Scheduler"] = {name: arrays["LR_Scheduler." + name].item() for name in schedule}
        optimizer.set_state_dict(state)

    def set_steps_done(self, steps):
        """Adam keeps the powers of its β that the next step's bias corrections need."""
        optimizer = self.plain_optimizer()
        for name, tensor in optimizer.state_dict().items():
            for beta in ("beta1", "beta2"):
                if beta + "_pow" in name:
                    tensor.set_value(np.full_like(tensor.numpy(), getattr(optimizer, "_" + beta) ** (steps + 1)))
        if isinstance(self.optimizer, tuple):
            _, scheduler = self.optimizer
            scheduler.last_epoch = steps  # the rate is the loop's to set, by its next scheduler.step()

    def plain_optimizer(self):
        """Return the optimiser, whose state has its schedule too: an implementation that has one returns both."""
        return self.optimizer[0] if isinstance(self.optimizer, tuple) else self.optimizer

    def open_files(self, images, labels):
        self.end_loader()
        self.loader = self.implementation.make_loader(images, labels, self.batch_size)
        self.batches = itertools.chain.from_iterable(itertools.repeat(self.loader))

    def end_loader(self):
        """End the loader's processes, which a thread of PaddlePaddle's keeps alive; it has no public name for that."""
        if self.loader is not None and self.loader._iterator is not None:
            self.loader._iterator._shutdown_on_exit()

    def __del__(self):
        self.end_loader()

    def train_from_files(self, steps):
        return self.train(itertools.islice(self.batches, steps))

    def loaded(self, steps):
        images, labels = zip(*itertools.islice(self.batches, steps))
        return paddle.stack(images).numpy(), paddle.stack(labels).numpy()

    def prepare_inputs(self, inputs):
        return [tuple(map(paddle.to_tensor, batch)) for batch in zip(*inputs)]

    def infer(self, batches):
        """Return when the outputs are in NumPy's hands: that waits for what is still computed."""
        outputs = self.implementation.predict(self.network, batches)
        return paddle.concat(outputs).numpy()
