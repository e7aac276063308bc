"""Keras' convolutional network on CIFAR-10 in Chainer, fed by a MultiprocessIterator."""

import random

import chainer
import numpy as np

# The network and its training don't depend on where the batches come from.
from .cifar10_keras_cnn import Network, loss_function, make_optimizer, train

__all__ = ["Network", "loss_function", "make_iterator", "make_optimizer", "train"]


class Images(chainer.dataset.DatasetMixin):
    """The training images and their labels, read from disk one by one, shifted and mirrored at random."""

    def __init__(self, images_file, labels_file):
        self.images = np.load(images_file, mmap_mode="r")
        self.labels = np.load(labels_file, mmap_mode="r")

    def __len__(self):
        return len(self.images)

    def get_example(self, index):
        # Python's generator, as in Chainer's examples: each process seeds its own, but NumPy's is the same in all.
        image = self.images[index].astype(np.float32) / 255
        image = np.pad(image, ((0, 0), (3, 3), (3, 3)), mode="edge")
        top, left = random.randint(0, 6), random.randint(0, 6)
        image = image[:, top : top + 32, left : left + 32]
        if random.random() < 0.5:
            image = image[:, :, ::-1]
        return image, np.int32(self.labels[index])


def make_iterator(images_file, labels_file, batch_size=32):
    """Return an endless iterator over batches, lists of examples; it shuffles anew for every epoch."""
    return chainer.iterators.MultiprocessIterator(
        Images(images_file, labels_file), batch_size, shuffle=True, n_processes=2
    )
