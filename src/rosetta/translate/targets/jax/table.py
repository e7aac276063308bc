"""The table of JAX's rules; the modules beside it fill it."""

from rosetta.translate.rules import Rules

RULES = Rules()
