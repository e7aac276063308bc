"""All workloads in plain PyTorch: what ``harness_cost.py`` holds Rosetta's figures for torch against.

How it is called: see chunks.py.
"""

import numpy as np
import torch
from chunks import serve
from torch import nn
from torch.nn.functional import pad
from torch.utils.data import DataLoader, Dataset


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


def mnist_cnn():
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )
    return model, torch.optim.Adadelta(model.parameters(), lr=1.0, rho=0.95, eps=1e-7)


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


def cifar10_keras_cnn():
    model = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding="same"),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Conv2d(32, 64, 3, padding="same"),
        nn.ReLU(),
        nn.Conv2d(64, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(2304, 512),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(512, 10),
    )
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-4, alpha=0.9, eps=1e-7)
    return model, optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + 1e-6 * step))


def cifar10_tpu_cnn():
    model = nn.Sequential(
        nn.BatchNorm2d(3, eps=1e-3, momentum=0.01),
        nn.Conv2d(3, 32, 3, padding="same"),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.BatchNorm2d(32, eps=1e-3, momentum=0.01),
        nn.Conv2d(32, 64, 3, padding="same"),
        nn.ReLU(),
        nn.Conv2d(64, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(3136, 512),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(512, 10),
    )
    return model, torch.optim.Adam(model.parameters(), lr=0.001, eps=1e-7)


class LastOutput(nn.Module):
    """A recurrent layer's last output. An LSTM's second bias stays zero; a GRU's is one of its own."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        if isinstance(layer, nn.LSTM):
            layer.bias_hh_l0.requires_grad_(False)

    def forward(self, x):
        _, state = self.layer(x)
        return state[0][-1] if isinstance(state, tuple) else state[-1]


def mnist_hrnn():
    model = nn.Sequential(
        nn.Flatten(0, 1),  # (batch, 28, 28) → (batch · 28, 28)
        nn.Unflatten(1, (28, 1)),
        LastOutput(nn.LSTM(1, 128, batch_first=True)),
        nn.Unflatten(0, (-1, 28)),
        LastOutput(nn.LSTM(128, 128, batch_first=True)),
        nn.Linear(128, 10),
    )
    return model, torch.optim.RMSprop(model.parameters(), lr=0.001, alpha=0.9, eps=1e-7)


class StoryAndQuestion(nn.Module):
    def __init__(self, vocabulary=36):
        super().__init__()
        self.story = nn.Sequential(nn.Embedding(vocabulary, 50), nn.Dropout(0.3))
        self.question = nn.Sequential(
            nn.Embedding(vocabulary, 50), nn.Dropout(0.3), LastOutput(nn.LSTM(50, 50, batch_first=True))
        )
        self.answer = nn.Sequential(
            LastOutput(nn.LSTM(50, 50, batch_first=True)), nn.Dropout(0.3), nn.Linear(50, vocabulary)
        )

    def forward(self, story, question):
        return self.answer(self.story(story) + self.question(question)[:, None])


def babi_rnn():
    model = StoryAndQuestion()
    return model, torch.optim.Adam(model.parameters(), lr=0.001, eps=1e-7)


def imdb_gru():
    model = nn.Sequential(nn.Embedding(30_000, 125), LastOutput(nn.GRU(125, 100, batch_first=True)), nn.Linear(100, 2))
    return model, torch.optim.Adam(model.parameters(), lr=0.001, eps=1e-8)


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(inputs, width, 1, stride, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 4 * width, 1, bias=False),
            nn.BatchNorm2d(4 * width),
        )
        self.shortcut = None
        if inputs != 4 * width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x):
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return torch.relu(self.main(x) + shortcut)


def resnet50_features():
    layers = [
        nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
    ]
    inputs = 64
    for width, blocks, stride in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]:
        layers.append(Bottleneck(inputs, width, stride))
        inputs = 4 * width
        layers += [Bottleneck(inputs, width, 1) for _ in range(blocks - 1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), None


WORKLOADS = {
    "mnist_mlp": mnist_mlp,
    "mnist_cnn": mnist_cnn,
    "cifar10_cnn": cifar10_cnn,
    "cifar10_keras_cnn": cifar10_keras_cnn,
    "cifar10_keras_cnn_loader": cifar10_keras_cnn,
    "cifar10_tpu_cnn": cifar10_tpu_cnn,
    "mnist_hrnn": mnist_hrnn,
    "babi_rnn": babi_rnn,
    "imdb_gru": imdb_gru,
    "resnet50_features": resnet50_features,
}


def initialise(module):
    """Glorot uniform weights, orthogonal recurrent ones and zero biases, but a forget gate's of 1."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.Embedding):
        nn.init.xavier_uniform_(module.weight)
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.LSTM | nn.GRU):
        nn.init.xavier_uniform_(module.weight_ih_l0)
        nn.init.orthogonal_(module.weight_hh_l0)
        nn.init.zeros_(module.bias_ih_l0)
        nn.init.zeros_(module.bias_hh_l0)
        if isinstance(module, nn.LSTM):
            nn.init.ones_(module.bias_ih_l0[module.hidden_size : 2 * module.hidden_size])


def build(workload):
    torch.manual_seed(0)
    model, optimizer, *schedulers = WORKLOADS[workload]()
    model.apply(initialise)
    criterion = nn.CrossEntropyLoss()

    def prepare(inputs, labels):
        return list(zip(*map(torch.from_numpy, inputs), torch.from_numpy(labels), strict=True))

    def train(batches):
        model.train()
        losses = []
        for *inputs, labels in batches:
            optimizer.zero_grad()
            loss = criterion(model(*inputs), labels)
            loss.backward()
            optimizer.step()
            for scheduler in schedulers:
                scheduler.step()
            losses.append(loss.detach())
        return torch.stack(losses).mean().item()

    def predict(batches):
        model.eval()
        with torch.inference_mode():
            return torch.cat([model(images) for images, _ in batches])

    return prepare, train if optimizer else predict


class Images(Dataset):
    """Images, each moved by up to 3 pixels and perhaps mirrored, and their labels."""

    def __init__(self, images, labels):
        self.images, self.labels = np.load(images, mmap_mode="r"), np.load(labels, mmap_mode="r")

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = pad(torch.tensor(self.images[index], dtype=torch.float32) / 255, (3, 3, 3, 3), mode="replicate")
        top, left = torch.randint(0, 7, (2,)).tolist()
        image = image[:, top : top + 32, left : left + 32]
        if torch.rand(()) < 0.5:
            image = image.flip(-1)
        return image, int(self.labels[index])


def make_loader(images, labels):
    """Epoch after epoch, read by two processes."""
    loader = DataLoader(
        Images(images, labels),
        batch_size=32,
        shuffle=True,
        drop_last=True,
        num_workers=2,
        persistent_workers=True,
        multiprocessing_context="fork",
    )
    while True:
        yield from loader


serve(build, make_loader)
