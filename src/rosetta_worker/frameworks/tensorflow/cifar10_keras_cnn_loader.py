"""Keras' convolutional network on CIFAR-10 in TensorFlow's core, without Keras, fed by tf.data."""

import numpy as np
import tensorflow as tf

# The network and its training don't depend on where the batches come from.
from .cifar10_keras_cnn import Network, loss_function, make_optimizer, make_train_step, train

__all__ = ["Network", "loss_function", "make_loader", "make_optimizer", "make_train_step", "train"]


def decode(image, label):
    """Turn the bytes of an image, (3, 32, 32), and of its label into tensors, the image's channels last."""
    image = tf.cast(tf.io.decode_raw(image, tf.uint8), tf.float32) / 255
    image = tf.transpose(tf.reshape(image, (3, 32, 32)), (1, 2, 0))
    return image, tf.io.decode_raw(label, tf.int64)[0]


def augment(image, label):
    """Shift an image by up to 3 pixels each way and mirror it, at random."""
    for _ in range(3):  # each time the edge's pixels are repeated once more
        image = tf.pad(image, ((1, 1), (1, 1), (0, 0)), mode="SYMMETRIC")
    image = tf.image.random_crop(image, (32, 32, 3))
    return tf.image.random_flip_left_right(image), label


def make_loader(images_file, labels_file, batch_size=32):
    """Return an endless data set of batches, shuffled anew for every epoch."""
    images = np.load(images_file, mmap_mode="r")  # only to learn how many there are and where they begin
    labels = np.load(labels_file, mmap_mode="r")
    dataset = tf.data.Dataset.zip(
        tf.data.FixedLengthRecordDataset(images_file, record_bytes=3 * 32 * 32, header_bytes=images.offset),
        tf.data.FixedLengthRecordDataset(labels_file, record_bytes=8, header_bytes=labels.offset),
    )
    return (
        dataset.shuffle(len(images))
        .map(decode, num_parallel_calls=tf.data.AUTOTUNE)
        .map(augment, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(batch_size, drop_remainder=True)
        .repeat()
        .prefetch(tf.data.AUTOTUNE)
    )
