"""Replicas in Keras: each back end has its own way, in ``replicas_jax.py`` and its neighbours."""

import importlib

from .trainer import keras

Trainer = importlib.import_module(".replicas_" + keras.config.backend(), __package__).Trainer
