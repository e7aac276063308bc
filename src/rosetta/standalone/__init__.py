"""Implementations as files that run without Rosetta: scripts and notebooks."""
