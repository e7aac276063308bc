"""The default workloads in plain PyTorch, written apart from Rosetta's: a check of what ``bare_loop.py`` shows.

How it is called: see chunks.py.
"""

import torch
from chunks import arguments, in_order, serve
from torch import nn


def mnist_mlp():
    model = nn.Sequential(
        nn.Linear(784, 512),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(512, 512),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(512, 10),
    )
    return model, torch.optim.RMSprop(model.parameters(), lr=0.001, alpha=0.9, eps=1e-7)


def cifar10_cnn():
    model = nn.Sequential(
        nn.Conv2d(3, 50, 3, padding="same"),
        nn.ReLU(),
        nn.Conv2d(50, 50, 3, padding="same"),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Dropout(0.25),
        nn.Conv2d(50, 100, 3, padding="same"),
        nn.ReLU(),
        nn.Conv2d(100, 100, 3, padding="same"),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(6400, 512),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(512, 10),
    )
    return model, torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)


def initialise(module):
    """Glorot uniform weights and zero biases."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


torch.manual_seed(0)
data = arguments()
model, optimizer = {"mnist_mlp": mnist_mlp, "cifar10_cnn": cifar10_cnn}[data["workload"]["name"]]()
model.apply(initialise)
criterion = nn.CrossEntropyLoss()


def prepare(inputs, labels):
    (images,) = inputs
    return list(zip(torch.from_numpy(images), torch.from_numpy(labels), strict=True))


def train(batches):
    model.train()
    losses = []
    for images, labels in batches:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses).mean().item()


serve(in_order(data, prepare), train)
