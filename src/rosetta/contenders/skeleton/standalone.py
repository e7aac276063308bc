"""An epoch of training, then the accuracy: what `rosetta show mnist_mlp --in skeleton --script` prints as one file."""

import numpy as np

from rosetta_worker.script import accuracy, load, rng, shuffled, training_batches

from . import implementation, workload
from .parameters import from_canonical

network = implementation.Network()
initial = {}
for name, (kind, shape) in workload.PARAMETERS.items():
    scale = 0 if kind == "bias" else np.sqrt(2 / sum(shape))
    initial[name] = rng.normal(0, scale, shape).astype(np.float32)
network.weights = from_canonical(initial)

train_set = load(workload.TRAIN_FILES)
optimizer = implementation.RMSprop(network.weights)
losses = implementation.train(network, optimizer, training_batches(train_set, shuffled(train_set)))
print(f"epoch: {len(losses)} steps, mean loss {np.mean(losses):.4f}")

test_set = load(workload.TEST_FILES)
print(f"accuracy: {accuracy(network, test_set):.4f} on {len(test_set[-1])} test samples")
