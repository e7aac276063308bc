"""A network of the user's own, trained or asked in a plain loop of PyTorch."""

import torch
from torch import nn

from rosetta_worker.own_network import OwnCodeError, own_code

from .own_network import OwnNetwork
from .trainer import set_precision


class OwnTrainer(OwnNetwork):
    """An ``nn.Module``, a ``torch.optim`` optimiser, and a scheduler if ``make_optimizer`` returns one after it."""

    def __init__(self, make, training, example, device, seed, channels_last):
        torch.manual_seed(seed)
        set_precision("ieee")
        self.device = torch.device(device)
        self.dtype = torch.float32
        self.network = make(lambda found: isinstance(found, nn.Module), "a torch.nn.Module")
        self.network.to(self.device, self.dtype)
        self.training = training() if training else None

    def load_parameters(self, arrays):
        self.load_own_weights(arrays)
        if self.training:
            self.optimizer, self.scheduler = self.made_optimizer()

    def made_optimizer(self):
        network = self.network
        made = self.training.optimizer_of(lambda n: network.parameters() if n.startswith("param") else network)
        optimizer, scheduler = made if isinstance(made, tuple) else (made, None)
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise OwnCodeError("make_optimizer gives a {}, no torch.optim.Optimizer".format(type(optimizer).__name__))
        return optimizer, scheduler

    def prepare(self, inputs, targets):
        steps = len(inputs[0])
        return list(zip(host_tensors(inputs), host_tensors(targets) if targets else [()] * steps))

    def train(self, batches):
        self.network.train()
        losses = []
        with own_code():
            for inputs, targets in batches:
                inputs = [tensor.to(self.device) for tensor in inputs]
                targets = [tensor.to(self.device) for tensor in targets]
                self.optimizer.zero_grad()
                loss = self.training.loss(self.network(*inputs), *targets)
                loss.backward()
                self.optimizer.step()
                if self.scheduler is not None:
                    self.scheduler.step()
                losses.append(loss.detach())
            return torch.stack(losses).cpu().numpy()

    def prepare_inputs(self, inputs):
        return host_tensors(inputs)

    @torch.inference_mode()
    def infer(self, batches):
        self.network.eval()
        outputs = []
        with own_code():
            for inputs in batches:
                outputs.append(self.network(*(tensor.to(self.device) for tensor in inputs)))
        for each in outputs:
            in_host_memory(each)

    def reseed(self, seed):
        torch.manual_seed(seed)


def host_tensors(arrays):
    """Return a tuple of tensors for each step."""
    return [tuple(map(torch.from_numpy, batch)) for batch in zip(*arrays)]


def in_host_memory(outputs):
    """Bring all tensors in what a network gave into the host's memory."""
    if torch.is_tensor(outputs):
        return outputs.cpu()
    if isinstance(outputs, dict):
        outputs = outputs.values()
    return [in_host_memory(each) for each in outputs if each is not None]
