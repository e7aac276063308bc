"""Keras' convolutional network on CIFAR-10 in JAX, with Flax NNX and Optax, fed by Grain."""

import grain
import numpy as np

# The network and its training don't depend on where the batches come from.
from .cifar10_keras_cnn import Network, compile_train_step, loss_function, make_optimizer, train

__all__ = ["Network", "compile_train_step", "loss_function", "make_loader", "make_optimizer", "train"]


class Images(grain.sources.RandomAccessDataSource):
    """The training images and their labels, read from disk one by one."""

    def __init__(self, images_file, labels_file):
        self.images = np.load(images_file, mmap_mode="r")
        self.labels = np.load(labels_file, mmap_mode="r")

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = self.images[index].transpose(1, 2, 0)
        return image.astype(np.float32) / 255, np.int32(self.labels[index])


def augment(record, rng):
    """Shift an image by up to 3 pixels each way and mirror it, at random."""
    image, label = record
    image = np.pad(image, ((3, 3), (3, 3), (0, 0)), mode="edge")
    top, left = rng.integers(0, 7, size=2)
    image = image[top : top + 32, left : left + 32]
    if rng.random() < 0.5:
        image = image[:, ::-1]
    return image, label


def make_loader(images_file, labels_file, seed, batch_size=32):
    """Return an endless data set of batches, shuffled anew for every epoch; threads read ahead."""
    return (
        grain.MapDataset.source(Images(images_file, labels_file))
        .seed(seed)
        .shuffle()
        .random_map(augment)
        .batch(batch_size, drop_remainder=True)
        .repeat()
        # What is read ahead are batches here: Grain's defaults, 16 threads and 500 elements, are for single records.
        .to_iter_dataset(grain.ReadOptions(num_threads=2, prefetch_buffer_size=10))
    )
