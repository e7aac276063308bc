"""Lets ``python -m rosetta`` be the command line."""

from rosetta.cli.app import main

main()
