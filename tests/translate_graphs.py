"""Small graphs as a worker tells them, for the tests of translations."""

from typing import Any

from rosetta.translate.graph import read_graph
from rosetta.translate.rules import check_rules
from rosetta.translate.targets import targets
from rosetta.translate.write import Translation, translate_graph
from rosetta_worker.graph import (
    GraphArray,
    GraphCall,
    GraphInput,
    GraphModule,
    GraphNode,
    GraphPlace,
    GraphTensor,
    NetworkGraph,
)

BATCH = 4
KINDS = {
    "Conv2d": "torch.nn.modules.conv.Conv2d",
    "Linear": "torch.nn.modules.linear.Linear",
    "ReLU": "torch.nn.modules.activation.ReLU",
    "LayerNorm": "torch.nn.modules.normalization.LayerNorm",
    "Embedding": "torch.nn.modules.sparse.Embedding",
    "Sequential": "torch.nn.modules.container.Sequential",
}


class Graph:
    """Collects what a worker would tell; ``value`` names what has been computed last."""

    def __init__(self, *inputs: tuple[int, ...], dtype: str = "float32"):
        self.told = NetworkGraph(BATCH, [], [], [], [], [], None, "")
        self.module("", "model.Net")
        for number, shape in enumerate(inputs):
            array = GraphArray([BATCH, *shape], dtype)
            self.told.inputs.append(GraphInput(f"x{number}" if number else "x", array))

    def module(self, path: str, kind: str, **settings: Any) -> None:
        """Have a module."""
        if all(module.path != path for module in self.told.modules):
            container = "sequence" if kind == "Sequential" else ""
            self.told.modules.append(GraphModule(path, KINDS.get(kind, kind), container, ["x"], settings))

    def tensor(self, path: str, *shape: int, tied: str = "") -> dict[str, str]:
        """Have a parameter; return it as an argument."""
        name = "p_" + path.replace(".", "_")
        paths = [path, tied] if tied else [path]
        if all(tensor.name != name for tensor in self.told.tensors):
            self.told.tensors.append(GraphTensor(name, paths, "parameter", GraphArray(list(shape), "float32")))
        return {"value": name}

    def node(
        self, operation: str, *arguments: Any, shape: tuple[int, ...], at: str = "", line: str = "", several: int = 0
    ) -> dict[str, str]:
        """Have an operation in the module ``at``, whose statement in each module around it is ``line``; return it."""
        name = f"{operation.split('.')[1]}_{len(self.told.nodes)}".lstrip("_")
        steps = at.split(".") if at else []
        paths = [""] + [".".join(steps[: length + 1]) for length in range(len(steps))]
        known = {module.path for module in self.told.modules}
        calls = [GraphCall(path, 0) for path in paths if path in known]
        places = [-1] * len(calls)
        if line:
            names = [part.strip() for part in line.partition("=")[0].split(",")] if "=" in line else []
            self.told.places.append(GraphPlace("model.py", len(self.told.places) + 1, line, names))
            places[0] = len(self.told.places) - 1
        results = [GraphArray(list(shape), "float32")] * (several or 1)
        self.told.nodes.append(
            GraphNode(name, operation, list(arguments), {}, results, several > 0, calls, places)
        )  # fmt: skip
        return {"value": name}

    def conv(self, x: Any, path: str, inputs: int, outputs: int, size: int, at: str = "") -> dict[str, str]:
        """Have a 3 × 3 convolution that keeps the size."""
        self.module(path, "Conv2d")
        weight = self.tensor(f"{path}.weight", outputs, inputs, 3, 3)
        shape = (BATCH, outputs, size, size)
        return self.node("aten.conv2d.default", x, weight, None, [1, 1], [1, 1], shape=shape, at=path)

    def linear(self, x: Any, path: str, inputs: int, outputs: int, *before: int) -> dict[str, str]:
        """Have a dense layer with a bias."""
        self.module(path, "Linear")
        weights = self.tensor(f"{path}.weight", outputs, inputs), self.tensor(f"{path}.bias", outputs)
        return self.node("aten.linear.default", x, *weights, shape=(BATCH, *before, outputs), at=path)

    def translated(self, output: Any) -> Translation:
        """Return the network's text in JAX."""
        self.told.outputs = output
        target = targets()["jax"]
        graph = read_graph(self.told, {})
        check_rules(graph, target.rules, target.title)
        found = translate_graph(graph, target, "A network.")
        compile(found.text, "translated.py", "exec")
        return found


X = {"value": "x"}
