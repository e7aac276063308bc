"""Keras' convolutional network on CIFAR-10 in PaddlePaddle, fed by a DataLoader."""

import numpy as np
from paddle.io import DataLoader, Dataset

# The network and its training don't depend on where the batches come from.
from .cifar10_keras_cnn import Network, loss_function, make_optimizer, train

__all__ = ["Network", "loss_function", "make_loader", "make_optimizer", "train"]


class Images(Dataset):
    """The training images and their labels, read from disk one by one, shifted and mirrored at random."""

    def __init__(self, images_file, labels_file):
        super().__init__()
        self.images = np.load(images_file, mmap_mode="r")
        self.labels = np.load(labels_file, mmap_mode="r")

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = self.images[index].astype("float32") / 255
        image = np.pad(image, ((0, 0), (3, 3), (3, 3)), mode="edge")
        top, left = np.random.randint(0, 7, 2)
        image = image[:, top : top + 32, left : left + 32]
        if np.random.rand() < 0.5:
            image = image[:, :, ::-1]
        return np.ascontiguousarray(image), self.labels[index]


def make_loader(images_file, labels_file, batch_size=32):
    """Return the batches of one epoch; every iteration shuffles anew."""
    return DataLoader(
        Images(images_file, labels_file),
        batch_size=batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=2,
        persistent_workers=True,
    )
