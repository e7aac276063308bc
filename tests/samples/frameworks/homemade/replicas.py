"""Replicas: a process for each; the first takes the mean of all gradients and tells the others."""

import os
import socket
import time

import numpy as np

from . import trainer


class Trainer(trainer.Trainer):
    """The verbs; the replicas meet at the path ``meeting``, a socket of the first's."""

    def __init__(self, implementation, workload, variants, device, dropout, seed, replicas, rank, meeting):
        super().__init__(implementation, workload, variants, device, dropout, seed + 1000 * rank)
        self.rank = rank
        if rank == 0:
            with socket.socket(socket.AF_UNIX) as door:
                door.bind(meeting + ".partial")
                door.listen(replicas)
                os.rename(meeting + ".partial", meeting)
                self.others = [door.accept()[0] for _ in range(replicas - 1)]
        else:
            while not os.path.exists(meeting):
                time.sleep(0.001)
            self.others = [socket.socket(socket.AF_UNIX)]
            self.others[0].connect(meeting)

    def reseed(self, seed):
        super().reseed(seed + 1000 * getattr(self, "rank", 0))

    def shared(self, gradients):
        whole = np.concatenate([g.ravel() for g in gradients.values()])
        if self.rank == 0:
            whole = (whole + sum(receive(other, whole) for other in self.others)) / np.float32(len(self.others) + 1)
            for other in self.others:
                other.sendall(whole.tobytes())
        else:
            self.others[0].sendall(whole.tobytes())
            whole = receive(self.others[0], whole)
        parts = np.split(whole, np.cumsum([g.size for g in gradients.values()])[:-1])
        return {name: part.reshape(g.shape) for (name, g), part in zip(gradients.items(), parts, strict=True)}


def receive(other, like):
    """Return an array like that one."""
    array = np.empty_like(like)
    view = memoryview(array).cast("B")
    while view:
        count = other.recv_into(view)
        if not count:
            raise ConnectionError("a replica has ended")
        view = view[count:]
    return array
