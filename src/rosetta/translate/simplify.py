"""Rewrites a graph before it is written: what modules put together first, their callers put together."""

from rosetta.translate.graph import Call, Graph, Node, values_in


def hoist_concatenations(graph: Graph) -> None:
    """Let a module that begins by putting all that it is given into one array be given that array.

    A DenseNet's layer is given all arrays before it, more of them each time; so all layers are of one class.
    """
    waiting = [graph.root]
    while waiting:
        call = waiting.pop()
        found: list[Node | Call] = []
        for item in call.items:
            if isinstance(item, Call):
                first = _first_concatenation(item, graph)
                if first is not None:
                    item.items.remove(first)
                    del first.calls[call.depth + 1 :], first.places[call.depth + 1 :]
                    found.append(first)
                waiting.append(item)
            found.append(item)
        call.items = found


def _first_concatenation(call: Call, graph: Graph) -> Node | None:
    first = call.items[0] if call.items else None
    if not isinstance(first, Node) or first.operation != "cat" or len(call.items) < 2 or call.number:
        return None
    nodes = call.nodes()
    inside, given = {node.name for node in nodes}, set(values_in(first.arguments))
    taken = {name for node in nodes if node is not first for name in values_in([node.arguments, node.keywords])}
    outside = taken - inside - graph.tensors.keys()
    whole = not given & (inside | graph.tensors.keys()) and not outside
    return first if whole and not graph.modules[call.module].container else None
