"""The hierarchical LSTM on MNIST in MXNet's Module API."""

import mxnet as mx


def lstm(sequence, features, units, name):
    """Map (time, batch, features) to the last output, (batch, units), by MXNet's fused operation.

    It takes weights and biases in one vector. Of the two biases that it adds up the workload has only the first:
    ``mx.rnn.FusedRNNCell`` would train both.
    """
    parameters = mx.sym.concat(
        mx.sym.var(f"{name}_i2h_weight", shape=(4 * units, features)).reshape(shape=(-1,)),
        mx.sym.var(f"{name}_h2h_weight", shape=(4 * units, units)).reshape(shape=(-1,)),
        mx.sym.var(f"{name}_i2h_bias", shape=(4 * units,)),
        mx.sym.zeros((4 * units,)),
        dim=0,
    )
    zeros = mx.sym.zeros((1, 0, units))  # 0: as many as the batch has
    outputs = mx.sym.RNN(sequence, parameters, zeros, zeros, mode="lstm", state_size=units, num_layers=1)
    # The last step. The gradient of MXNet 1.9.1's SequenceLast is broken.
    return mx.sym.squeeze(mx.sym.slice_axis(outputs, axis=0, begin=-1, end=None), axis=0)


def make_symbol():
    """An LSTM over the pixels of each row, another one over the rows, and a dense layer.

    Images, (batch, 28 rows, 28 pixels), to probabilities, (batch, 10).
    """
    x = mx.sym.var("image")
    x = mx.sym.reshape(x, shape=(-1, 28, 1))  # every row is a sequence of 28 pixels
    x = mx.sym.transpose(x, axes=(1, 0, 2))
    x = lstm(x, 1, 128, name="row_lstm")

    x = mx.sym.reshape(x, shape=(-1, 28, 128))  # every image is a sequence of 28 rows
    x = mx.sym.transpose(x, axes=(1, 0, 2))
    x = lstm(x, 128, 128, name="image_lstm")
    x = mx.sym.FullyConnected(x, num_hidden=10, name="dense")
    return mx.sym.SoftmaxOutput(x, name="softmax")


def make_module(symbol, data_shapes, label_shapes):
    """Bind the network to memory for batches of one size."""
    module = mx.mod.Module(symbol, data_names=["image"])
    module.bind(data_shapes, label_shapes)
    module.init_params(mx.init.Xavier())
    return module


def init_optimizer(module):
    """RMSprop; MXNet adds ε inside the root, the workload 1e-7 outside: 1e-14 is its square."""
    options = {"learning_rate": 0.001, "gamma1": 0.9, "epsilon": 1e-14}
    module.init_optimizer(optimizer="rmsprop", optimizer_params=options)


def train(module, batches):
    """Train on batches of images and labels and return the mean loss."""
    loss = mx.metric.CrossEntropy()
    for batch in batches:
        module.forward_backward(batch)
        module.update()
        module.update_metric(loss, batch.label)
    return loss.get()[1]
