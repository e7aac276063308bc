"""A network of the user's own, trained or asked in a plain loop of PaddlePaddle."""

import paddle
from paddle import nn

from rosetta_worker.own_network import named_outputs, own_code

from .own_network import OwnNetwork


class OwnTrainer(OwnNetwork):
    """An ``nn.Layer``, a ``paddle.optimizer``, and a scheduler if ``make_optimizer`` returns one after it."""

    def __init__(self, make, training, example, device, seed, channels_last):
        paddle.set_device("gpu" if device == "cuda" else device)
        paddle.seed(seed)
        self.dtype = "float32"
        paddle.set_default_dtype(self.dtype)
        self.network = make(lambda found: isinstance(found, nn.Layer), "a paddle.nn.Layer")
        self.network.to(dtype=self.dtype)
        self.training = training() if training else None

    def load_parameters(self, arrays):
        self.load_own_weights(arrays)
        if self.training:
            self.optimizer, self.scheduler = self.made_optimizer(self.training)

    def prepare(self, inputs, targets):
        steps = len(inputs[0])
        return list(zip(host_tensors(inputs), host_tensors(targets) if targets else [()] * steps))

    def train(self, batches):
        self.network.train()
        losses = []
        with own_code():
            for inputs, targets in batches:
                loss = self.training.loss(self.network(*inputs), *targets)
                loss.backward()
                self.optimizer.step()
                self.optimizer.clear_grad()
                if self.scheduler is not None:
                    self.scheduler.step()
                losses.append(loss.detach())
            return paddle.stack(losses).numpy()

    def prepare_inputs(self, inputs):
        return host_tensors(inputs)

    def infer(self, batches):
        self.network.eval()
        with own_code(), paddle.no_grad():
            outputs = [self.network(*inputs) for inputs in batches]
        for each in outputs:
            for tensor in named_outputs(each, paddle.is_tensor).values():
                tensor.numpy()

    def reseed(self, seed):
        paddle.seed(seed)


def host_tensors(arrays):
    """Return a tuple of tensors for each step."""
    return [tuple(map(paddle.to_tensor, batch)) for batch in zip(*arrays)]
