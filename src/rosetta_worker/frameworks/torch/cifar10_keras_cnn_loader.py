"""Keras' convolutional network on CIFAR-10 in PyTorch, fed by a DataLoader.

The augmentation is written out and not taken from ``torchvision.transforms.v2``, because the torchvision of the package
index is built for CUDA and can't be imported beside a CPU build of PyTorch (pytorch/vision issue 9085).
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

# The network and its training don't depend on where the batches come from.
from .cifar10_keras_cnn import Network, loss_function, make_optimizer, train

__all__ = ["Network", "loss_function", "make_loader", "make_optimizer", "train"]


class Images(Dataset):
    """The training images and their labels, read from disk one by one, shifted and mirrored at random."""

    def __init__(self, images_file, labels_file):
        self.images = np.load(images_file, mmap_mode="r")
        self.labels = np.load(labels_file, mmap_mode="r")

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = torch.tensor(self.images[index], dtype=torch.float32) / 255
        image = F.pad(image, (3, 3, 3, 3), mode="replicate")
        top, left = torch.randint(0, 7, (2,)).tolist()
        image = image[:, top : top + 32, left : left + 32]
        if torch.rand(()) < 0.5:
            image = image.flip(-1)
        return image, int(self.labels[index])


def make_loader(images_file, labels_file, batch_size=32):
    """Return the batches of one epoch; every iteration shuffles anew."""
    return DataLoader(
        Images(images_file, labels_file),
        batch_size=batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=2,
        persistent_workers=True,
        multiprocessing_context="fork",  # from Python 3.14 on no longer the default on Linux
    )
