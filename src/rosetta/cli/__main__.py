"""Lets ``python -m rosetta.cli`` be the command line, like ``python -m rosetta``."""

from rosetta.cli.app import main

main()
