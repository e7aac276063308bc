"""Keras' convolutional network on CIFAR-10 in MXNet's Module API, fed by Gluon's DataLoader."""

import mxnet as mx

# Neither the images nor the network and its training depend on where the batches go or come from.
from . import cifar10_keras_cnn_loader
from .cifar10_keras_cnn_module import init_optimizer, make_module, make_symbol, train

__all__ = ["init_optimizer", "make_loader", "make_module", "make_symbol", "train"]


def make_loader(images_file, labels_file, batch_size=32):
    """Return the batches of one epoch as a module takes them; after a reset they are shuffled anew."""
    loader = cifar10_keras_cnn_loader.make_loader(images_file, labels_file, batch_size)
    return mx.contrib.io.DataLoaderIter(loader, data_name="image")
