"""Keras' convolutional network on CIFAR-10 in MXNet's Gluon, fed by its DataLoader."""

import mxnet as mx
import numpy as np
from mxnet import autograd
from mxnet.gluon.data import DataLoader, Dataset

# The network and its training don't depend on where the batches come from.
from .cifar10_keras_cnn import loss_function, make_network, make_trainer

__all__ = ["loss_function", "make_loader", "make_network", "make_trainer", "train"]


class Images(Dataset):
    """The training images and their labels, read from disk one by one, shifted and mirrored at random."""

    def __init__(self, images_file, labels_file):
        self.images = np.load(images_file, mmap_mode="r")
        self.labels = np.load(labels_file, mmap_mode="r")
        self.flip = mx.image.HorizontalFlipAug(0.5)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = np.pad(self.images[index], ((0, 0), (3, 3), (3, 3)), mode="edge")
        image = mx.nd.array(image.transpose(1, 2, 0), dtype="uint8")  # an image has its channels last, until it is fed
        image, _ = mx.image.random_crop(image, (32, 32))
        image = self.flip(image)
        return mx.nd.image.to_tensor(image), self.labels[index]


def make_loader(images_file, labels_file, batch_size=32):
    """Return the batches of one epoch; every iteration shuffles anew."""
    images = Images(images_file, labels_file)
    return DataLoader(images, batch_size=batch_size, shuffle=True, last_batch="discard", num_workers=2)


def train(network, trainer, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        # The loader's processes leave them in shared memory.
        images, labels = images.as_in_context(mx.cpu()), labels.as_in_context(mx.cpu())
        with autograd.record():
            loss = loss_function(network(images), labels)
        loss.backward()
        trainer.step(len(labels))
        losses.append(loss.mean())
    return losses
