"""Starts a worker: ``python rosetta_worker COMMANDS REPLIES`` with two inherited file descriptors."""

import importlib.util
import os
import sys

if "rosetta_worker" not in sys.modules:
    # Run by path from an environment in which it is not installed: make the folder importable under its own name,
    # without putting its neighbours (the host's packages) on the path.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]
    spec = importlib.util.spec_from_file_location(
        "rosetta_worker", os.path.join(here, "__init__.py"), submodule_search_locations=[here]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["rosetta_worker"] = package
    spec.loader.exec_module(package)

from rosetta_worker.main import main

if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
