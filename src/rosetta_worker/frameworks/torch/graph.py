"""A network's graph as ``torch.export`` sees it, put into the words of ``rosetta_worker.graph``."""

import ast
import inspect
import linecache
import math
import os
import re
import sys

import torch
from torch import nn

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

from .trainer import set_precision

_FRAME = re.compile(r'File "(?P<file>.+)", line (?P<line>\d+), in (?P<function>\S+)')
_MORE = 1
"""So many samples more are in the second export, by which numbers that hang on the batch are told from others."""
_LONGEST = 2000


class Refused(Exception):
    """Why a network has no graph."""


def network_graph(network, arrays):
    """Return the graph of a module for such inputs, and its constants by name."""
    inputs = tuple(torch.from_numpy(array) for array in arrays)
    inputs = tuple(one if one.is_floating_point() else one.long() for one in inputs)
    before = network.training
    network.eval()
    set_precision("tf32")  # the only one that torch.export can ask for; nothing is computed in it
    try:
        program = exported(network, inputs)
        batch = len(inputs[0])
        wider = tuple(torch.cat([one, one[:_MORE]]) for one in inputs)
        try:
            other = exported(network, wider)
        except Refused:
            other = None
        return Reader(network, program, other, batch).read()
    except Refused as refused:
        return NetworkGraph(0, [], [], [], [], [], None, str(refused)), {}
    finally:
        network.train(before)
        set_precision("ieee")


def exported(network, inputs):
    try:
        # Not without gradients: modules of PyTorch's own then go ways that have no names.
        return torch.export.export(network, inputs, strict=False)
    except Exception as error:  # whatever the user's code raises when it is traced, and what torch says of it
        raise Refused(told(error)) from error


def told(error):
    """Say in one sentence what an export failed for, and at which line of the user's."""
    text = str(error).strip()
    first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
    kind = type(error).__name__
    if "DataDependent" in kind or "GuardOnDataDependent" in text or "data-dependent" in text.lower():
        first = "what it does depends on the values of its inputs, so that it has no one graph"
    else:
        first = "{}: {}".format(kind, first[:300])
    return "; ".join([first, *lines_of(error, text)])


def lines_of(error, text):
    """Return the innermost line of the user's own that an error came from."""
    frames, seen = [], error
    while seen is not None:
        traceback = seen.__traceback__
        while traceback is not None:
            code = traceback.tb_frame.f_code
            frames.append((code.co_filename, traceback.tb_lineno, code.co_name))
            traceback = traceback.tb_next
        seen = seen.__cause__ or seen.__context__
    frames += [(m["file"], int(m["line"]), m["function"]) for m in _FRAME.finditer(text)]
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    own = [f for f in frames if "site-packages" not in f[0] and not f[0].startswith((here, sys.base_prefix, "<"))]
    if not own:
        return []
    file, line, function = own[-1]
    said = linecache.getline(file, line).strip()
    return ["{}, line {}, in {}: {}".format(os.path.basename(file), line, function, said[:200])]


class Reader:
    """Turns an exported program into messages."""

    def __init__(self, network, program, other, batch):
        self.network = network
        self.program = program
        self.batch = batch
        nodes = [node for node in program.graph.nodes if node.op == "call_function"]
        others = [node for node in other.graph.nodes if node.op == "call_function"] if other else []
        same = [str(n.target) for n in nodes] == [str(n.target) for n in others]
        # Each node beside the same one for a larger batch; itself where the two graphs differ.
        self.pairs = list(zip(nodes, others if same else nodes))
        self.places = []
        self.index = {}
        self.statements = {}

    def read(self):
        tensors, constants = self.tensors()
        names = {entry.arg.name for entry in self.program.graph_signature.input_specs if "USER" in entry.kind.name}
        holders = [node for node in self.program.graph.nodes if node.op == "placeholder"]
        inputs = [GraphInput(node.name, self.array(node.meta["val"])) for node in holders if node.name in names]
        nodes = [self.node(one, other) for one, other in self.pairs]
        met = {call.module for node in nodes for call in node.calls}
        return (
            NetworkGraph(
                self.batch, inputs, tensors, self.modules(met), self.places, nodes, self.outputs(), refused=""
            ),
            constants,
        )

    def tensors(self):
        """Return what the graph refers to besides inputs, tied tensors once."""
        values = {node.name: node.meta.get("val") for node in self.program.graph.nodes if node.op == "placeholder"}
        paths = {}
        for path, tensor in [
            *self.network.named_parameters(remove_duplicate=False),
            *self.network.named_buffers(remove_duplicate=False),
        ]:
            paths.setdefault(id(tensor), []).append(path)
        owned = dict(self.network.named_parameters(remove_duplicate=False))
        owned.update(self.network.named_buffers(remove_duplicate=False))
        found, constants = [], {}
        for entry in self.program.graph_signature.input_specs:
            kind = entry.kind.name
            if "USER" in kind:
                continue
            name = entry.arg.name
            if kind not in ("PARAMETER", "BUFFER", "CONSTANT_TENSOR"):
                raise Refused("it holds a {}, for which there is no word".format(kind.lower()))
            role = {"PARAMETER": "parameter", "BUFFER": "buffer"}.get(kind, "constant")
            tensor = owned.get(entry.target)
            mine = [entry.target] if tensor is None else paths[id(tensor)]
            if role != "parameter":
                kept = self.program.constants.get(entry.target) if tensor is None else tensor
                if (kept is not None and not kept.is_floating_point()) or (kept is not None and role == "constant"):
                    constants[name] = kept.detach().cpu().numpy()
            found.append(GraphTensor(name, mine, role, self.array(values[name])))
        return found, constants

    def modules(self, met):
        found = []
        for path, module in self.network.named_modules(remove_duplicate=False):
            outer = [path.rpartition(".")[0]] if path else []
            sequence = isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward
            kind = "{}.{}".format(type(module).__module__, type(module).__qualname__)
            settings = {
                key: value
                for key, value in vars(module).items()
                if not key.startswith("_") and is_plain(value) and key != "training"
            }
            if path in met or any(path.startswith(one + ".") or not one for one in (*met, *outer)):
                names = names_of(type(module).forward)
                container = "sequence" if sequence else ""
                found.append(GraphModule(path, kind, container, names, settings, summary_of(type(module))))
        return found

    def outputs(self):
        (last,) = [node for node in self.program.graph.nodes if node.op == "output"]
        given = torch.utils._pytree.tree_unflatten(list(last.args[0]), self.program.call_spec.out_spec)
        return self.output(given)

    def output(self, value):
        if isinstance(value, (list, tuple)):
            return [self.output(one) for one in value]
        if isinstance(value, dict) or hasattr(value, "items"):
            return {str(key): self.output(one) for key, one in value.items() if one is not None}
        return self.argument(value, value)

    def node(self, node, other):
        value = node.meta.get("val")
        several = isinstance(value, (list, tuple))
        results = [self.array(one) for one in (value if several else [value]) if torch.is_tensor(one)]
        operation = str(node.target)
        if operation == "<built-in function getitem>":
            operation = "getitem"
        arguments = [self.argument(one, two) for one, two in zip(node.args, other.args)]
        keywords = {key: self.argument(one, other.kwargs.get(key)) for key, one in node.kwargs.items()}
        calls, places = self.calls(node)
        return GraphNode(node.name, operation, arguments, keywords, results, several, calls, places)

    def calls(self, node):
        stack = list((node.meta.get("nn_module_stack") or {}).items())
        calls = []
        for key, (path, _) in stack:
            number = re.search(r"@(\d+)$", key)
            calls.append(GraphCall(re.sub(r"@\d+$", "", path), int(number[1]) if number else 0))
        frames = [m for m in _FRAME.finditer(node.meta.get("stack_trace") or "") if m["function"] == "forward"]
        places = [-1] * len(calls)
        for level in range(min(len(frames), len(calls))):
            places[level] = self.place(frames[level]["file"], int(frames[level]["line"]))
        return calls, places

    def place(self, file, line):
        statement = self.statement(file, line)
        first = statement.lineno if statement is not None else line
        key = (file, first)
        if key not in self.index:
            self.index[key] = len(self.places)
            text = linecache.getline(file, line).strip()[:200]
            self.places.append(GraphPlace(os.path.basename(file), line, text, targets_of(statement)))
        return self.index[key]

    def statement(self, file, line):
        """Return the innermost statement that a line of a file belongs to."""
        if file not in self.statements:
            try:
                tree = ast.parse("".join(linecache.getlines(file)))
            except (SyntaxError, ValueError):
                tree = ast.Module(body=[], type_ignores=[])
            self.statements[file] = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
        found = [s for s in self.statements[file] if s.lineno <= line <= (s.end_lineno or s.lineno)]
        return min(found, key=lambda s: (s.end_lineno or s.lineno) - s.lineno, default=None)

    def argument(self, value, other):
        """Return an argument as it travels; ``other`` is the same of a larger batch."""
        if isinstance(value, torch.fx.Node):
            return {"value": value.name}
        if isinstance(value, (list, tuple)):
            others = other if isinstance(other, (list, tuple)) and len(other) == len(value) else value
            return [self.argument(one, two) for one, two in zip(value, others)]
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int):
            if isinstance(other, int) and other != value and value % self.batch == 0:
                times = value // self.batch
                if other == times * (self.batch + _MORE):
                    return {"batch": times}
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {"number": str(value)}
        if isinstance(value, str):
            return value[:_LONGEST]
        if isinstance(value, torch.dtype):
            return {"dtype": str(value).replace("torch.", "")}
        return {"other": "{}: {}".format(type(value).__name__, value)[:_LONGEST]}

    def array(self, value):
        if not torch.is_tensor(value):
            raise Refused("an operation gives a {}, not an array".format(type(value).__name__))
        if value.is_complex() or value.is_quantized or value.is_sparse:
            raise Refused("it computes with {} tensors".format("complex" if value.is_complex() else str(value.layout)))
        if not all(isinstance(size, int) for size in value.shape):
            raise Refused("the shape of an array depends on the values of the inputs")
        return GraphArray(list(value.shape), str(value.dtype).replace("torch.", ""))


def is_plain(value):
    """Whether that is a number, a text, nothing, or a tuple or list of such."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < 2**53
    if isinstance(value, (list, tuple)):
        return len(value) <= 8 and all(is_plain(one) and not isinstance(one, (list, tuple)) for one in value)
    return value is None or isinstance(value, bool) or (isinstance(value, str) and len(value) <= 100)


def summary_of(kind):
    """Return the first line of a class's own docstring; nothing for PyTorch's classes."""
    if kind.__module__.startswith("torch."):
        return ""
    said = vars(kind).get("__doc__")
    lines = said.strip().splitlines() if isinstance(said, str) else []
    return lines[0].strip()[:_LONGEST] if lines else ""


def names_of(forward):
    try:
        parameters = list(inspect.signature(forward).parameters.values())[1:]
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def targets_of(statement):
    """Return the plain names that a statement assigns, in their order; "" for what is no name."""
    if isinstance(statement, ast.Assign):
        target = statement.targets[0]
        parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
        return [part.id if isinstance(part, ast.Name) else "" for part in parts]
    if isinstance(statement, (ast.AugAssign, ast.AnnAssign)) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    return []
