"""Makes an ONNX model of a workload's network with its weights, and asks onnxruntime for its outputs.

Operators and their inputs are those of https://onnx.ai/onnx/operators; the model takes inputs as Rosetta's workers do:
scaled pixels, float32, channels first, or tokens, int32, and returns logits (or features), float32.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from rosetta.models.weights import Weights
from rosetta.workloads import layers as network
from rosetta.workloads import transformer_layers as transformer

OPSET = 17


class _Graph:
    """The nodes and constants gathered so far; each method adds a layer and returns the name of what it makes."""

    def __init__(self, weights: Weights):
        self.parameters = weights.parameters
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._count = 0

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """Add a node; return the name of its first output, which for several is the last state of a recurrence."""
        self._count += 1
        names = [f"{operator}_{self._count}" + (f"_{index}" if index else "") for index in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, f"{operator}_{self._count}", **attributes))
        return names[-1]

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Add a constant of that name, once."""
        if name not in {constant.name for constant in self.constants}:
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def shape(self, *sizes: int) -> str:
        """Add a shape; −1 stands for what is left."""
        return self.constant("shape_" + "_".join(map(str, sizes)).replace("-", "m"), np.array(sizes, np.int64))

    def weight(self, name: str) -> str:
        """Add a parameter as it is."""
        return self.constant(name, self.parameters[name])

    def layers(self, layers: Sequence[network.Layer], x: str | list[str], shape: network.Shape) -> str:
        """Add layers one after the other to what has the shape (without the batch)."""
        for layer in layers:
            x = self._layer(layer, x, shape)
            shape = layer.output_shape(shape)
        assert isinstance(x, str)
        return x

    def _layer(self, layer: network.Layer, x: str | list[str], shape: network.Shape) -> str:
        if isinstance(layer, network.Sum):
            starts = [(x, shape)] * len(layer.paths) if isinstance(x, str) else list(zip(x, shape, strict=True))
            ends = [self.layers(path, *start) for path, start in zip(layer.paths, starts, strict=True)]  # type: ignore[arg-type]
            return self.add("Sum", *ends)
        assert isinstance(x, str)
        return _ADD[type(layer)](self, layer, x, shape)


def _conv(graph: _Graph, layer: network.Conv2d, x: str, shape: network.Shape) -> str:
    bias = [graph.weight(f"{layer.name}.bias")] if layer.bias else []
    around = layer.kernel // 2 if layer.padding == "same" else 0 if layer.padding == "valid" else int(layer.padding)
    return graph.add(
        "Conv", x, graph.weight(f"{layer.name}.weight"), *bias, pads=[around] * 4, strides=[layer.stride] * 2
    )


def _dense(graph: _Graph, layer: network.Dense, x: str, shape: network.Shape) -> str:
    return graph.add("Gemm", x, graph.weight(f"{layer.name}.weight"), graph.weight(f"{layer.name}.bias"), transB=1)


def _embedding(graph: _Graph, layer: network.Embedding, x: str, shape: network.Shape) -> str:
    return graph.add("Gather", graph.weight(f"{layer.name}.weight"), x)


def _lstm(graph: _Graph, layer: network.Lstm, x: str, shape: network.Shape) -> str:
    return _recurrence(graph, layer, x, "LSTM", (0, 3, 1, 2), ("bias", None))  # i, f, g, o → i, o, f, g


def _gru(graph: _Graph, layer: network.Gru, x: str, shape: network.Shape) -> str:
    # r, z, n → z, r, n; linear_before_reset is the form that resets after the product.
    return _recurrence(graph, layer, x, "GRU", (1, 0, 2), ("input_bias", "recurrent_bias"), linear_before_reset=1)


def _recurrence(
    graph: _Graph,
    layer: network.Lstm | network.Gru,
    x: str,
    operator: str,
    gates: tuple[int, ...],
    biases: tuple[str, str | None],
    **attributes: int,
) -> str:
    """Add a recurrent layer; ONNX's has the time first and an axis for two directions, and its gates in ``gates``."""

    def ordered(array: NDArray[np.float32]) -> NDArray[np.float32]:
        parts = np.split(array, len(gates))
        return np.concatenate([parts[gate] for gate in gates])

    own = graph.parameters
    first, second = (
        own[f"{layer.name}.{name}"] if name else np.zeros(len(gates) * layer.units, np.float32) for name in biases
    )
    last = graph.add(
        operator,
        graph.add("Transpose", x, perm=[1, 0, 2]),
        graph.constant(f"{layer.name}.W", ordered(own[f"{layer.name}.input_weight"])[None]),
        graph.constant(f"{layer.name}.R", ordered(own[f"{layer.name}.recurrent_weight"])[None]),
        graph.constant(f"{layer.name}.B", np.concatenate([ordered(first), ordered(second)])[None]),
        outputs=2,
        hidden_size=layer.units,
        **attributes,
    )
    return graph.add("Squeeze", last, graph.shape(0))


def _minimal_gated_unit(graph: _Graph, layer: network.MinimalGatedUnit, x: str, shape: network.Shape) -> str:
    """Add a loop over the time, unrolled: ONNX has no operator for the unit. Of the first state, 0, nothing comes."""

    def halves(name: str) -> tuple[str, str]:
        f, c = np.split(graph.parameters[f"{layer.name}.{name}"], 2)
        return graph.constant(f"{layer.name}.{name}_f", f.T), graph.constant(f"{layer.name}.{name}_c", c.T)

    by_time = graph.add("Transpose", x, perm=[1, 0, 2])
    inputs_f, inputs_c = (
        graph.add("Add", graph.add("MatMul", by_time, weight), bias)
        for weight, bias in zip(halves("input_weight"), halves("bias"), strict=True)
    )
    weight_f, weight_c = halves("recurrent_weight")
    h = ""
    for t in range(shape[0]):
        a_f, a_c = (graph.add("Gather", inputs, graph.shape(t), axis=0) for inputs in (inputs_f, inputs_c))
        if not h:
            h = graph.add("Mul", graph.add("Sigmoid", a_f), graph.add("Tanh", a_c))
            continue
        f = graph.add("Sigmoid", graph.add("Add", a_f, graph.add("MatMul", h, weight_f)))
        kept = graph.add("Mul", f, h)
        c = graph.add("Tanh", graph.add("Add", a_c, graph.add("MatMul", kept, weight_c)))
        h = graph.add("Add", graph.add("Sub", h, kept), graph.add("Mul", f, c))
    return graph.add("Squeeze", h, graph.shape(0))  # the axis of time


def _own_activation(graph: _Graph, layer: network.OwnActivation, x: str, shape: network.Shape) -> str:
    scale, slope = (
        graph.constant(f"{layer.name}.{name}", graph.parameters[f"{layer.name}.{name}"][:, None, None])
        for name in ("scale", "slope")
    )
    return graph.add("Mul", graph.add("Mul", scale, x), graph.add("Sigmoid", graph.add("Mul", slope, x)))


def _batch_norm(graph: _Graph, layer: network.BatchNorm2d, x: str, shape: network.Shape) -> str:
    names = ("scale", "shift", "running_mean", "running_variance")
    return graph.add(
        "BatchNormalization", x, *(graph.weight(f"{layer.name}.{n}") for n in names), epsilon=layer.epsilon
    )


def _position_embedding(graph: _Graph, layer: transformer.PositionEmbedding, x: str, shape: network.Shape) -> str:
    return graph.add("Add", x, graph.weight(f"{layer.name}.weight"))


def _linear(graph: _Graph, layer: transformer.Linear, x: str, shape: network.Shape) -> str:
    weight = graph.constant(f"{layer.name}.weight", np.ascontiguousarray(graph.parameters[f"{layer.name}.weight"].T))
    return graph.add("MatMul", x, weight)


def _tied_linear(graph: _Graph, layer: transformer.TiedLinear, x: str, shape: network.Shape) -> str:
    return graph.add("MatMul", x, graph.add("Transpose", f"{layer.embedding}.weight", perm=[1, 0]))


def _causal_self_attention(graph: _Graph, layer: transformer.CausalSelfAttention, x: str, shape: network.Shape) -> str:
    """Add the matrix products and the softmax between them: ONNX has had an operator for all of it only since 2025."""
    time, d = shape[0], layer.features // layer.heads
    heads = graph.add("Reshape", x, graph.shape(-1, time, 3, layer.heads, d))
    parts = graph.add("Transpose", heads, perm=[2, 0, 3, 1, 4])
    q, k, v = (
        graph.add("Squeeze", graph.add("Gather", parts, graph.shape(part), axis=0), graph.shape(0)) for part in range(3)
    )
    scale = graph.constant(f"scale_of_{d}", np.array(1 / np.sqrt(d), np.float32))
    scores = graph.add("Mul", graph.add("MatMul", q, graph.add("Transpose", k, perm=[0, 1, 3, 2])), scale)
    later = np.triu(np.full((time, time), -np.inf, np.float32), 1)
    weights = graph.add("Softmax", graph.add("Add", scores, graph.constant(f"later_of_{time}", later)), axis=-1)
    mixed = graph.add("Transpose", graph.add("MatMul", weights, v), perm=[0, 2, 1, 3])
    return graph.add("Reshape", mixed, graph.shape(-1, time, layer.features))


def _layer_norm(graph: _Graph, layer: transformer.LayerNorm, x: str, shape: network.Shape) -> str:
    return graph.add("LayerNormalization", x, graph.weight(f"{layer.name}.scale"), axis=-1, epsilon=layer.epsilon)


def _gelu(graph: _Graph, x: str) -> str:
    half, one, root = (
        graph.constant(name, np.array(value, np.float32))
        for name, value in (("half", 0.5), ("one", 1.0), ("root_of_half", np.sqrt(0.5)))
    )
    erf = graph.add("Erf", graph.add("Mul", x, root))
    return graph.add("Mul", graph.add("Mul", x, half), graph.add("Add", erf, one))


def _max_pool(graph: _Graph, layer: network.MaxPool2d, x: str, shape: network.Shape) -> str:
    stride = layer.stride or layer.size
    return graph.add("MaxPool", x, kernel_shape=[layer.size] * 2, strides=[stride] * 2, pads=[layer.padding] * 4)


def _elementwise(graph: _Graph, layer: network.Elementwise, x: str, shape: network.Shape) -> str:
    if layer.kind == "dropout":
        return x
    if layer.kind == "relu":
        return graph.add("Relu", x)
    if layer.kind == "gelu":
        return _gelu(graph, x)
    if layer.kind == "global_average_pool":
        x = graph.add("GlobalAveragePool", x)
    elif layer.kind != "flatten":
        raise ValueError(f"no ONNX operator is known for {layer.kind}")
    return graph.add("Flatten", x)


def _reshape(graph: _Graph, layer: network.Reshape, x: str, shape: network.Shape) -> str:
    return graph.add("Reshape", x, graph.shape(-1, *layer.shape))


def _repeat(graph: _Graph, layer: network.Repeat, x: str, shape: network.Shape) -> str:
    return graph.add("Expand", graph.add("Unsqueeze", x, graph.shape(1)), graph.shape(1, layer.times, 1))


def _time_distributed(graph: _Graph, layer: network.TimeDistributed, x: str, shape: network.Shape) -> str:
    # Time steps are samples to the layers inside.
    steps = graph.add("Reshape", x, graph.shape(-1, *shape[1:]))
    made = graph.layers(layer.layers, steps, shape[1:])
    return graph.add("Reshape", made, graph.shape(-1, *layer.output_shape(shape)))


_ADD: dict[type, Callable[..., str]] = {
    network.Conv2d: _conv,
    network.Dense: _dense,
    network.Embedding: _embedding,
    transformer.PositionEmbedding: _position_embedding,
    transformer.Linear: _linear,
    transformer.TiedLinear: _tied_linear,
    transformer.CausalSelfAttention: _causal_self_attention,
    transformer.LayerNorm: _layer_norm,
    network.Lstm: _lstm,
    network.Gru: _gru,
    network.MinimalGatedUnit: _minimal_gated_unit,
    network.OwnActivation: _own_activation,
    network.BatchNorm2d: _batch_norm,
    network.MaxPool2d: _max_pool,
    network.Elementwise: _elementwise,
    network.Reshape: _reshape,
    network.Repeat: _repeat,
    network.TimeDistributed: _time_distributed,
}


def onnx_model(weights: Weights) -> onnx.ModelProto:
    """Make the model; its inputs have the workload's names and a batch of any size, its output is "output"."""
    workload = weights.workload
    graph = _Graph(weights)
    names = [given.name for given in workload.inputs]
    shapes = [given.shape for given in workload.inputs]
    single = len(names) == 1
    last = graph.layers(workload.layers, names[0] if single else names, shapes[0] if single else shapes)  # type: ignore[arg-type]
    graph.nodes.append(helper.make_node("Identity", [last], ["output"], "output"))
    types = {"pixels": TensorProto.FLOAT, "tokens": TensorProto.INT32}
    inputs = [helper.make_tensor_value_info(i.name, types[i.kind], ["batch", *i.shape]) for i in workload.inputs]
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", *workload.output_shape])
    made = helper.make_graph(graph.nodes, workload.name, inputs, [output], graph.constants)
    # The newest format of 2023, so that older runtimes read it too.
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8, producer_name="rosetta"
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def outputs_by_onnxruntime(model: bytes, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Return a serialised model's outputs for inputs by name, on the CPU."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (outputs,) = session.run(None, dict(inputs))
    return np.asarray(outputs, np.float32)
