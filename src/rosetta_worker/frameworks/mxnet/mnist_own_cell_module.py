"""The recurrent network with a cell of one's own on MNIST in MXNet's Module API."""

import mxnet as mx


class MinimalGatedUnit(mx.rnn.BaseRNNCell):
    """A cell with one gate, f, and one bias (Zhou, Wu, Zhang & Zhou 2016)."""

    def __init__(self, units, prefix):
        super().__init__(prefix)
        self.units = units
        # Those of the gate and of the candidate, f and c, below each other.
        self.i2h_weight = self.params.get("i2h_weight")
        self.h2h_weight = self.params.get("h2h_weight", shape=(2 * units, units))
        self.i2h_bias = self.params.get("i2h_bias")

    @property
    def state_info(self):
        """Tell of the only state, h; 0: as many as the batch has."""
        return [{"shape": (0, self.units), "__layout__": "NC"}]

    def __call__(self, x, states):
        """Map (batch, in) and the state before, (batch, units), to the output and the state, which are the same."""
        (h,) = states
        inputs = mx.sym.FullyConnected(x, self.i2h_weight, self.i2h_bias, num_hidden=2 * self.units)
        input_f, input_c = mx.sym.split(inputs, num_outputs=2)
        weight_f, weight_c = mx.sym.split(self.h2h_weight, axis=0, num_outputs=2)
        f = mx.sym.sigmoid(input_f + mx.sym.FullyConnected(h, weight_f, no_bias=True, num_hidden=self.units))
        c = mx.sym.tanh(input_c + mx.sym.FullyConnected(f * h, weight_c, no_bias=True, num_hidden=self.units))
        h = (1 - f) * h + f * c
        return h, [h]


def make_symbol():
    """The cell reads an image row by row; a dense layer takes its last output.

    Images, (batch, 28 rows, 28 pixels), to probabilities, (batch, 10).
    """
    cell = MinimalGatedUnit(128, prefix="cell_")
    outputs, _ = cell.unroll(28, mx.sym.var("image"), layout="NTC", merge_outputs=False)
    x = mx.sym.FullyConnected(outputs[-1], num_hidden=10, name="dense")
    return mx.sym.SoftmaxOutput(x, name="softmax")


def make_module(symbol, data_shapes, label_shapes):
    """Bind the network to memory for batches of one size."""
    module = mx.mod.Module(symbol, data_names=["image"])
    module.bind(data_shapes, label_shapes)
    module.init_params(mx.init.Xavier())
    return module


def init_optimizer(module):
    """SGD with momentum; MXNet has no unit gain."""
    options = {"learning_rate": 0.1, "momentum": 0.9}
    module.init_optimizer(optimizer="sgd", optimizer_params=options)


def train(module, batches):
    """Train on batches of images and labels and return the mean loss."""
    loss = mx.metric.CrossEntropy()
    for batch in batches:
        module.forward_backward(batch)
        module.update()
        module.update_metric(loss, batch.label)
    return loss.get()[1]
