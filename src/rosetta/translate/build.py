"""Writes the code of every module by a target's rules: walks the calls in the graph, from the outermost inwards."""

import inspect
from collections.abc import Sequence
from typing import Any

from rosetta.errors import RosettaError
from rosetta.translate.body import Body, Item, Member, Val
from rosetta.translate.graph import Call, Graph, Node, Value, values_in
from rosetta.translate.layout import plain
from rosetta.translate.rules import NoRule
from rosetta.translate.scope import Scope
from rosetta.translate.simplify import hoist_concatenations
from rosetta.translate.target import Target
from rosetta.translate.text import Attribute, Chain, Code, Expr, Literal, Make, Ref, expr, flat, joined, refs

_SEQUENTIAL = "torch.nn.modules.container.Sequential"
_FREELY = {
    *("relu", "dropout", "gelu", "silu", "sigmoid", "tanh", "hardtanh", "hardswish", "leaky_relu", "elu"),
    *("contiguous", "clone", "alias", "hardsigmoid", "softplus", "relu6"),
}
"""Operations on each number by itself: features pass them in any order."""


class Builder:
    """Makes the bodies of a graph's modules."""

    def __init__(self, graph: Graph, target: Target):
        self.graph = graph
        self.target = target
        self.values: dict[str, Val] = {}
        self.owners: dict[str, tuple[str, str]] = {}
        """By tensor, what keeps it: the path from the network, and the class."""
        self.flattened: dict[str, tuple[int, ...]] = {}
        """By operation, the shape of the images that its features were, channels last."""
        self.lies: dict[str, tuple[int, ...]] = {}
        """By tensor that is used as it is, how its axes lie."""
        self.joined: list[tuple[Body, int, tuple[str, ...], Val]] = []
        """Arrays that were put together: where, along which axis, which ones, and what came of it."""
        self.again: list[tuple[Body, Body]] = []
        """Bodies of modules that are called several times."""

    def build(self) -> Body:
        """Return the network's body; raise ``RosettaError`` where something can't be written."""
        graph = self.graph
        hoist_concatenations(graph)
        body = Body("", graph.modules[""].kind)
        for name, array in graph.inputs.items():
            self.values[name] = Val(name, array.shape, array.dtype, self.target.input_layout(len(array.shape)))
        body.inputs = list(graph.inputs)
        body.names = list(graph.modules[""].parameters)[: len(body.inputs)]
        scope = Scope(self, body, 0)
        if graph.modules[""].container and self._chained(graph.root, body):
            result = self.values[values_in(graph.outputs)[0]]
            if result.layout == plain(result.rank):
                return body
        body = Body("", body.kind, body.inputs, body.names)
        scope = Scope(self, body, 0)
        self._process(scope, graph.root.items)
        body.returns = self._output(scope, graph.outputs)
        return body

    def flatten_freely(self, node: Node, shape: Sequence[int]) -> bool:
        """Whether features of images may be flattened channels last there: only dense layers take them.

        These are noted: their matrices are carried over in the other order.
        """
        if len(node.result.shape) != 2 or node.result.shape[0] != shape[0] or len(shape) < 3:
            return False
        found: list[str] = []
        waiting = [node.name]
        while waiting:
            name = waiting.pop()
            if name in values_in(self.graph.outputs):
                return False
            for user in self.graph.users.get(name, []):
                if user.operation in _FREELY:
                    waiting.append(user.name)
                elif user.operation == "linear" and isinstance(user.arguments[1], Value):
                    weight = user.arguments[1].name
                    if weight not in self.graph.tensors or len(self.graph.users[weight]) > 1:
                        return False
                    found.append(user.name)
                else:
                    return False
        self.flattened.update(dict.fromkeys(found, tuple(shape[1:])))
        return bool(found)

    def keep(self, body: Body, path: tuple[str, ...], member: Member) -> None:
        """Let a module keep something; the same a second time is the same."""
        before = body.members.get(path)
        if before is None:
            body.members[path] = member
        elif before.bodies or member.bodies:
            if [where for where, _ in before.bodies] != [where for where, _ in member.bodies]:
                raise NoRule(f"{'.'.join(path)} is called in two ways")
            self.again += [(one, two) for (_, one), (_, two) in zip(before.bodies, member.bodies, strict=True)]
        elif before.maker != member.maker:
            raise NoRule(f"{'.'.join(path)} is called in two ways")
        whole = ".".join(filter(None, (body.path, *path)))
        for carried in member.tensors.values():
            self.owners.setdefault(carried.tensor.name, (whole, "".join(str(p) for p in member.maker.pieces[:1])))

    def free_path(self, body: Body, name: str, node: Node) -> tuple[str, ...]:
        """Return a name that a module has no member of yet."""
        taken = {path[0] for path in body.members} | {
            path.removeprefix(body.path + "." if body.path else "").partition(".")[0] for path in self.graph.modules
        }
        number = 1
        while (found := name if number == 1 else f"{name}{number}") in taken:
            number += 1
        del node
        return (found,)

    def _process(self, scope: Scope, items: Sequence[Node | Call]) -> None:
        for item in items:
            if isinstance(item, Node):
                self._write(scope, item)
            else:
                self._call(scope, item)

    def _write(self, scope: Scope, node: Node) -> None:
        if node.operation == "getitem":
            self._take(node)
            return
        scope.node = node
        rule = self.target.rules.operations.get(node.operation)
        if rule is None:
            raise RosettaError(f"There is no rule for {node.told} in {self.target.title}.")
        arguments = [scope.resolve(one) for one in node.arguments]
        keywords = {key: scope.resolve(one) for key, one in node.keywords.items()}
        try:
            inspect.signature(rule).bind(scope, *arguments, **keywords)
        except TypeError as error:
            raise self._failed(node, f"its rule doesn't take these arguments: {error}") from None
        try:
            self.values[node.name] = rule(scope, *arguments, **keywords)
        except NoRule as reason:
            raise self._failed(node, str(reason)) from reason
        except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
            # A rule may take for granted what PyTorch's operations are given; a worker may tell anything.
            raise self._failed(node, f"its arguments aren't what its rule takes: {error}") from error

    def _take(self, node: Node) -> None:
        whole, index = self.values[values_in(node.arguments[0])[0]], int(node.arguments[1])
        if not 0 <= index < len(whole.parts):
            raise self._failed(node, "what is taken from isn't a list of arrays")
        self.values[node.name] = Val(whole.parts[index], node.result.shape, node.result.dtype, whole.layout)

    def _failed(self, node: Node, reason: str) -> RosettaError:
        return RosettaError(
            f"{node.operation} can't be written in {self.target.title}: {reason}. "
            f"It is in {self.graph.place_of(node)}.",
            "Write that part with other operations, or translate a part of the network.",
        )

    def _call(self, scope: Scope, call: Call) -> None:
        module = self.graph.modules[call.module]
        rule = self.target.rules.modules.get(module.kind)
        if rule is not None:
            scope.node = call.nodes()[0]
            try:
                rule(scope, call)
            except NoRule as reason:
                raise self._failed(scope.node, str(reason)) from reason
            return
        inner = any(isinstance(item, Call) for item in call.items)
        if module.kind.startswith("torch.nn.") and not inner and not module.container:
            self._process(scope, call.items)
            return
        body = self._body(call)
        if module.container and self._chained(call, body):
            if module.kind == _SEQUENTIAL:
                self._keep_chain(scope, call, body)
                return
        elif module.kind == _SEQUENTIAL:
            self._process(scope, call.items)
            return
        else:
            body = self._body(call)
            self._process(Scope(self, body, call.depth), call.items)
            given = self.results(call)
            body.returns = joined([Ref(self.values[name].ref) for name in given])
        self._keep_child(scope, call, body)

    def _body(self, call: Call) -> Body:
        module = self.graph.modules[call.module]
        body = Body(call.module, module.kind)
        body.inputs = self.taken(call)
        body.names = list(module.parameters)
        return body

    def taken(self, call: Call) -> list[str]:
        """Return what a call takes from others, by name, in the order of its use."""
        nodes = call.nodes()
        inside = {node.name for node in nodes}
        found = dict.fromkeys(
            name
            for node in nodes
            for name in values_in([node.arguments, list(node.keywords.values())])
            if name not in inside and name not in self.graph.tensors
        )
        return list(found)

    def let(self, scope: Scope, place: int, name: str, value: Expr, layout: tuple[int, ...]) -> None:
        """Let an operation's result be this, at a statement of the module's code."""
        array = self.graph.nodes[name].result
        scope.body.items.append(Item([name], value, place))
        self.values[name] = Val(name, array.shape, array.dtype, layout)

    def results(self, call: Call) -> list[str]:
        """Return what others take from a call, by name."""
        inside = {node.name for node in call.nodes()}
        wanted = set(values_in(self.graph.outputs))
        return [
            node.name
            for node in call.nodes()
            if node.name in wanted or any(user.name not in inside for user in self.graph.users.get(node.name, []))
        ]

    def _chained(self, call: Call, body: Body) -> bool:
        """Write a module that calls one thing after the other as a list of these; whether it is one."""
        self._process(Scope(self, body, call.depth), call.items)
        given = self.results(call)
        if len(body.inputs) != 1 or len(given) != 1:
            return False
        last = self.values[body.inputs[0]].ref
        elements: list[Expr] = []
        bodies: list[tuple[str, Body]] = []
        member = Member(Expr(()))
        for item in body.items:
            if len(item.targets) != 1 or item.targets[0] is None or set(refs(item.value)) != {last}:
                return False
            function = item.value.function
            if function is not None and len(list(refs(item.value))) == 1:
                element = function
            else:
                element = Expr(("lambda x: ", *flat(item.value, lambda ref: "x")), level=0)
            name = element.pieces[0]
            if len(element.pieces) == 1 and isinstance(name, str) and "(" not in name:
                element = Expr((Literal(Code(name), "activation"),))
            if len(element.pieces) == 1 and isinstance(element.pieces[0], Attribute):
                path = element.pieces[0].path
                kept = body.members.get(path)
                if kept is None:
                    return False
                place = str(len(elements))
                bodies += [(_below(place, where), one) for where, one in kept.bodies]
                member.tensors.update({_below(place, where): one for where, one in kept.tensors.items()})
                element = kept.maker
            elif any(isinstance(piece, Attribute) for piece in element.pieces):
                return False
            elements.append(element)
            last = item.targets[0]
        if self.values[given[0]].ref != last or not elements:
            return False
        made_twice = len(body.members) != sum(1 for e in elements for m in body.members.values() if m.maker is e)
        if made_twice:
            return False
        body.chain = elements
        member.bodies = bodies
        body.members = {("layers",): member}
        return True

    def _keep_chain(self, scope: Scope, call: Call, body: Body) -> None:
        assert body.chain is not None
        (kept,) = body.members.values()
        maker = expr(self.target.chain + "({})", Chain(tuple(body.chain)))
        path = scope.relative(call.module)
        tensors = {f"layers.{where}": one for where, one in kept.tensors.items()}
        bodies = [(f"layers.{where}", one) for where, one in kept.bodies]
        self.keep(scope.body, path, Member(maker, tensors, bodies))
        self._let(scope, call, body, scope.body.callee(path))

    def _keep_child(self, scope: Scope, call: Call, body: Body) -> None:
        given = self.results(call)
        inside = {target for item in body.items for target in item.targets}
        if not any(self.values[name].ref in inside for name in given):
            return  # what it gives is what it was given
        path = scope.relative(call.module)
        if body.chain is None:
            used = {ref for item in body.items for ref in refs(item.value)} | set(refs(body.returns or Expr(())))
            names = dict.fromkeys(self.values[name].ref for name in body.inputs)
            body.inputs = [name for name in names if name in used]
        else:
            body.inputs = [self.values[body.inputs[0]].ref]
        self.keep(scope.body, path, Member(Expr((Make(body),)), {}, [("", body)]))
        self._let(scope, call, body, scope.body.callee(path))

    def _let(self, scope: Scope, call: Call, body: Body, callee: Expr) -> None:
        """Let the variables of a module be what a call gives."""
        given = self.results(call)
        arguments: list[Expr | Ref]
        if body.chain is not None:
            arguments = [Ref(self.values[body.inputs[0]].ref if body.inputs[0] in self.values else body.inputs[0])]
        else:
            arguments = [Ref(name) for name in body.inputs]
        value = expr("{}({})", callee, joined(arguments), function=callee if len(arguments) == 1 else None)
        scope.body.items.append(Item(list(given), value, call.place))
        for name in given:
            before = self.values[name]
            self.values[name] = Val(name, before.shape, before.dtype, before.layout, before.parts)

    def _output(self, scope: Scope, told: Any) -> Expr:
        if isinstance(told, Value):
            if told.name in self.graph.tensors:
                return scope.parameter(self.graph.tensors[told.name])
            return expr("{}", scope.usual(self.values[told.name]))
        if isinstance(told, list):
            if len(told) == 1:
                return expr("({},)", self._output(scope, told[0]))
            return expr("{}", joined([self._output(scope, one) for one in told]), level=0)
        if isinstance(told, dict):
            parts = [expr("{}: {}", repr(key), self._output(scope, one)) for key, one in told.items()]
            return Expr(("{", *joined(list(parts)).pieces, "}"))
        raise RosettaError(f"The network gives {told!r}, which isn't an array.", "Have it give arrays alone.")


def _below(place: str, where: str) -> str:
    return f"{place}.{where}" if where else place
