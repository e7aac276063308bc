"""A network of the user's own, trained or asked in a plain loop of PyTorch."""

import torch
from torch import nn

from rosetta_worker.own_network import named_outputs, own_code

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
            self.optimizer, self.scheduler = self.made_optimizer(self.training)

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
            for tensor in named_outputs(each, torch.is_tensor).values():
                tensor.cpu()

    def reseed(self, seed):
        torch.manual_seed(seed)


def host_tensors(arrays):
    """Return a tuple of tensors for each step."""
    return [tuple(map(torch.from_numpy, batch)) for batch in zip(*arrays)]
