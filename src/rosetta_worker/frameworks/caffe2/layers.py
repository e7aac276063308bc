"""What the implementations share, put together from Caffe2's operators and layers."""

import functools

from caffe2.python import brew, core, gru_cell, rnn_cell
from caffe2.python.modeling.initializers import Initializer


def embedding(model, tokens, name, vocabulary, features):
    """Map tokens, (batch, time), to (time, batch, features): in Caffe2's recurrent layers time comes first.

    The gradient is made dense, since Caffe2's sparse Adam leaves alone the rows of tokens that the batch hasn't. For
    that the tokens are laid out in one line.
    """
    if model.init_params:
        model.create_param(name + "_w", [vocabulary, features], Initializer("UniformFill", min=-0.05, max=0.05))
    tokens = brew.transpose(model, tokens, name + "_tokens", axes=(1, 0))
    line = model.net.FlattenToVec(tokens, name + "_line")
    x = model.net.Gather([name + "_w", line], name + "_rows", dense_gradient=True)

    width = model.net.ConstantFill([], name + "_width", shape=[1], value=features, dtype=core.DataType.INT64)
    sizes = [model.net.Shape(tokens, name + "_times_and_batch"), width]
    shape, _ = model.net.Concat(sizes, [name + "_shape", "_" + name + "_split"], axis=0)
    x, _ = model.net.Reshape([x, shape], [name, "_" + name + "_old_shape"])
    return x


def lstm(model, x, name, dim_in, dim_out, cell_class=rnn_cell.LSTMCell):
    """Map (time, batch, dim_in) to the last output, (1, batch, dim_out)."""
    hidden = model.net.ConstantFill([], name + "_initial_hidden", shape=[dim_out], value=0.0)
    cell = model.net.ConstantFill([], name + "_initial_cell", shape=[dim_out], value=0.0)
    # rnn_cell.LSTM, which is just this, but for any class of cells
    layer = functools.partial(rnn_cell._LSTM, cell_class)
    _, last, _, _ = layer(model, x, None, (hidden, cell), dim_in, dim_out, name, outputs_with_grads=(1,))
    # Caffe2 adds up two biases, where the workload has one: the second stays zero.
    model.params.remove(name + "/gates_t_b")
    return last


class ExactLSTMCell(rnn_cell.LSTMCell):
    """Caffe2's cell, but for the operator LSTMUnit, which rounds tanh(x) = 2σ(2x) − 1 to 1e-7, however small it is."""

    def apply_override(self, model, input_t, seq_lengths, states, timestep, extra_inputs=None):
        h, c = states
        gates = brew.fc(model, h, "gates_t", dim_in=self.hidden_size, dim_out=self.gates_size, axis=2)
        gates = model.net.Sum([gates, input_t], "all_gates")
        i, f, o, g = model.net.Split(gates, ["i", "f", "o", "g"], axis=2)
        i, f, o = (model.net.Sigmoid(gate, str(gate).split("/")[-1] + "_open") for gate in (i, f, o))
        g = model.net.Tanh(g, "g_tanh")
        c = model.net.Add([model.net.Mul([f, c], "kept"), model.net.Mul([i, g], "added")], "cell_state")
        h = model.net.Mul([o, model.net.Tanh(c, "cell_tanh")], "hidden_state")
        model.net.AddExternalOutputs(h, c)
        return h, c


def gru(model, x, name, dim_in, dim_out):
    """Map (time, batch, dim_in) to the last output, (1, batch, dim_out). Reset after the product, as cuDNN has it."""
    hidden = model.net.ConstantFill([], name + "_initial_hidden", shape=[dim_out], value=0.0)
    _, last = gru_cell.GRU(
        model, x, None, (hidden,), dim_in, dim_out, name, outputs_with_grads=(1,), linear_before_reset=True
    )
    return last


def spatial_bn(model, x, name, channels, epsilon, momentum, is_test):
    """Batch normalisation of (batch, channels, height, width), as brew.spatial_bn has it.

    In prediction the gradient of Caffe2's operator is that for training, which is another: so it is put together there
    from operators with the right gradients.
    """
    if not is_test:
        return brew.spatial_bn(model, x, name, channels, epsilon=epsilon, momentum=momentum, is_test=False)
    scale, shift, mean, variance = (name + ending for ending in ("_s", "_b", "_rm", "_riv"))
    epsilons = model.net.ConstantFill([], name + "_epsilons", shape=[channels], value=epsilon)
    inverse = model.net.Rsqrt(model.net.Add([variance, epsilons], name + "_variance"), name + "_inverse")
    factor = model.net.Mul([scale, inverse], name + "_factor")
    offset = model.net.Sub([shift, model.net.Mul([mean, factor], name + "_mean")], name + "_offset")
    return model.net.AffineChannel([x, factor, offset], name, is_learnable=1)
