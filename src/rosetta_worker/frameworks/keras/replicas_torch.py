"""Replicas in Keras on PyTorch: a process for each; DistributedDataParallel averages gradients by Gloo or NCCL."""

import os

import keras
import numpy as np
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from . import trainer


class Trainer(trainer.Trainer):
    """The trainer's methods; ``fit`` knows nothing of DistributedDataParallel, so the loop around it is written out."""

    def __init__(self, implementation, workload, variants, device, dropout, seed, replicas, rank, rendezvous):
        if "compile" in variants:
            raise RuntimeError("Keras' replicas on PyTorch have a loop of their own, which isn't compiled")
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all replicas are in this machine
        if distributed.is_initialized():
            distributed.destroy_process_group()
        if device == "cuda":
            torch.cuda.set_device(rank)
        backend = "nccl" if device == "cuda" else "gloo"
        distributed.init_process_group(backend, init_method="file://" + rendezvous, rank=rank, world_size=replicas)
        super().__init__(implementation, workload, variants, device, dropout, seed)
        self.rank = rank
        self.reseed(seed)
        self.parallel = DistributedDataParallel(self.model)
        self.part = workload["batch_size"] // replicas

    def reseed(self, seed):
        """Have each replica drop other units."""
        super().reseed(seed + 1000 * self.rank)

    def train(self, batches):
        inputs, labels = batches
        inputs = inputs if isinstance(inputs, list) else [inputs]
        losses = []
        for start in range(0, len(labels), self.part):
            x = [keras.ops.convert_to_tensor(array[start : start + self.part]) for array in inputs]
            y = keras.ops.convert_to_tensor(labels[start : start + self.part])
            self.model.zero_grad()
            logits = self.parallel(x if len(x) > 1 else x[0], training=True)
            loss = self.model.compute_loss(y=y, y_pred=logits)
            loss.backward()
            variables = self.model.trainable_variables
            with torch.no_grad():
                self.model.optimizer.apply([variable.value.grad for variable in variables], variables)
            losses.append(loss.detach())
        return np.array(torch.stack(losses).cpu())
