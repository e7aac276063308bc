"""Replicas in PyTorch: a process for each; DistributedDataParallel averages gradients by Gloo, on GPUs by NCCL."""

import os

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from . import trainer


class Trainer(trainer.Trainer):
    """The trainer's methods; only training goes through DistributedDataParallel."""

    def __init__(self, implementation, workload, variants, device, dropout, seed, replicas, rank, rendezvous):
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all replicas are in this machine
        if distributed.is_initialized():
            distributed.destroy_process_group()
        backend, device = ("nccl", f"cuda:{rank}") if device == "cuda" else ("gloo", device)
        distributed.init_process_group(backend, init_method="file://" + rendezvous, rank=rank, world_size=replicas)
        super().__init__(implementation, workload, variants, device, dropout, seed)
        self.rank = rank
        self.reseed(seed)
        self.parallel = DistributedDataParallel(self.model)

    def reseed(self, seed):
        """Have each replica drop other units."""
        super().reseed(seed + 1000 * self.rank)

    def train(self, batches):
        losses = self.implementation.train(self.parallel, self.optimizer, batches, self.device)
        return torch.stack(losses).cpu().numpy()
