"""Keras' own convolutional network on CIFAR-10 in Keras, fed by a PyDataset."""

import keras
import numpy as np

# The network and its training on arrays don't depend on where the batches come from.
from .cifar10_keras_cnn import make_model, train

__all__ = ["make_loader", "make_model", "train", "train_from_loader"]


class Batches(keras.utils.PyDataset):
    """The training images and their labels, read from disk batch by batch, shifted and mirrored at random."""

    def __init__(self, images_file, labels_file, batch_size, **kwargs):
        super().__init__(**kwargs)
        self.images = np.load(images_file, mmap_mode="r")
        self.labels = np.load(labels_file, mmap_mode="r")
        self.batch_size = batch_size
        self.order = np.random.permutation(len(self.images))

    def __len__(self):
        return len(self.images) // self.batch_size

    def __getitem__(self, index):
        chosen = self.order[self.batch_size * index : self.batch_size * (index + 1)]
        images = self.images[chosen].transpose(0, 2, 3, 1).astype("float32") / 255
        images = np.pad(images, ((0, 0), (3, 3), (3, 3), (0, 0)), mode="edge")
        tops, lefts = np.random.randint(0, 7, size=(2, self.batch_size))
        images = np.stack([x[top : top + 32, left : left + 32] for x, top, left in zip(images, tops, lefts)])
        mirrored = np.random.rand(self.batch_size) < 0.5
        images[mirrored] = images[mirrored, :, ::-1]
        return images, self.labels[chosen]

    def on_epoch_end(self):
        """Shuffle: fit calls this at its end too, so that the next call doesn't begin with the same batches."""
        np.random.shuffle(self.order)


def make_loader(images_file, labels_file, batch_size=32):
    """Return the data set; fit has two threads prepare its batches."""
    return Batches(images_file, labels_file, batch_size, workers=2)


def train_from_loader(model, dataset, steps):
    """Train on so many batches of the data set and return the mean loss."""
    history = model.fit(dataset, steps_per_epoch=steps, epochs=1, verbose=0)
    return history.history["loss"]
