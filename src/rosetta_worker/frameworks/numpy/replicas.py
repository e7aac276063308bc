"""The reference of replicas: one network that normalises each replica's part of a batch by itself."""

from .trainer import Trainer

__all__ = ["Trainer"]
