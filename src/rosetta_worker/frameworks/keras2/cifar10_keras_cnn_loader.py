"""Keras' own convolutional network on CIFAR-10 in Keras 2, fed by its ImageDataGenerator."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator
from keras.utils import to_categorical

# The network and its training on arrays don't depend on where the batches come from.
from .cifar10_keras_cnn import make_model, train

__all__ = ["make_loader", "make_model", "train", "train_from_loader"]


def make_loader(images_file, labels_file, batch_size=32):
    """Return the batches: the generator keeps all images in memory, shuffles them, and shifts and mirrors each one."""
    images, labels = np.load(images_file), np.load(labels_file)
    generator = ImageDataGenerator(
        rescale=1 / 255,
        data_format="channels_first",  # here the back end's setting isn't asked
        width_shift_range=list(range(-3, 4)),  # pixels
        height_shift_range=list(range(-3, 4)),
        horizontal_flip=True,
        fill_mode="nearest",
    )
    batches = generator.flow(images, to_categorical(labels, 10), batch_size)
    batches.on_epoch_end()  # shuffle: left to the two threads, each may begin the first epoch in an order of its own
    return batches


def train_from_loader(model, batches, steps):
    """Train on so many batches, which two threads prepare, and return the mean loss.

    The last of an epoch is the smaller batch of what is left over; as images are shuffled and not batches, it isn't
    reached.
    """
    history = model.fit_generator(batches, steps_per_epoch=steps, epochs=1, workers=2, shuffle=False, verbose=0)
    batches.on_epoch_end()  # shuffle, or the next call trains on the same batches
    return history.history["loss"]
