"""Replicas in PaddlePaddle: a process for each; DataParallel averages gradients by Gloo."""

import os
import socket
import time

import paddle
from paddle import distributed

from . import trainer


class Trainer(trainer.Trainer):
    """The methods; only training goes through DataParallel."""

    def __init__(self, implementation, workload, variants, device, dropout, seed, replicas, rank, rendezvous):
        if not distributed.is_initialized():  # a process's replicas meet once, for all the networks it will have
            meet(replicas, rank, rendezvous)
        super().__init__(implementation, workload, variants, device, dropout, seed + 1000 * rank)
        self.rank = rank
        self.parallel = paddle.DataParallel(self.network)

    def reseed(self, seed):
        """Have each replica drop other units."""
        super().reseed(seed + 1000 * self.rank)

    def train(self, batches):
        losses = self.implementation.train(self.parallel, self.optimizer, batches)
        return paddle.stack(losses).numpy()


def meet(replicas, rank, rendezvous):
    """Join the other processes at the first one's address, which it leaves in the file ``rendezvous``.

    These variables are what PaddlePaddle's launcher would set.
    """
    if rank == 0:
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = "{}:{}".format(*free.getsockname())
        with open(rendezvous + ".part", "w") as file:
            file.write(address)
        os.rename(rendezvous + ".part", rendezvous)
    else:
        address = address_of_the_first(rendezvous)
    os.environ["PADDLE_DISTRI_BACKEND"] = "gloo"
    os.environ["PADDLE_TRAINER_ID"] = str(rank)
    os.environ["PADDLE_TRAINERS_NUM"] = str(replicas)
    os.environ["PADDLE_TRAINER_ENDPOINTS"] = os.environ["PADDLE_CURRENT_ENDPOINT"] = address
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all replicas are in this machine
    distributed.init_parallel_env()


def address_of_the_first(rendezvous):
    """Wait until somebody listens there: left to itself PaddlePaddle tries only every three seconds."""
    while True:
        try:
            with open(rendezvous) as file:
                host, port = file.read().split(":")
            socket.create_connection((host, int(port))).close()
            return "{}:{}".format(host, port)
        except (FileNotFoundError, ConnectionRefusedError):
            time.sleep(0.01)
