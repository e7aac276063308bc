"""The "Rosetta Stone" GRU on IMDB reviews in MXNet's Module API."""

import mxnet as mx


def make_symbol():
    """An embedding, a GRU's last output and a dense layer: tokens, (batch, 150), to probabilities, (batch, 2)."""
    x = mx.sym.transpose(mx.sym.var("review"))  # time first, as the fused cell wants it
    x = mx.sym.Embedding(x, input_dim=30_000, output_dim=125, name="embedding")
    gru = mx.rnn.FusedRNNCell(100, mode="gru", prefix="gru_")
    outputs, _ = gru.unroll(150, x, layout="TNC", merge_outputs=True)
    # The last step. The gradient of MXNet 1.9.1's SequenceLast is broken.
    x = mx.sym.squeeze(mx.sym.slice_axis(outputs, axis=0, begin=-1, end=None), axis=0)
    x = mx.sym.FullyConnected(x, num_hidden=2, name="dense")
    return mx.sym.SoftmaxOutput(x, name="softmax")


def make_module(symbol, data_shapes, label_shapes):
    """Bind the network to memory for batches of one size."""
    module = mx.mod.Module(symbol, data_names=["review"])
    module.bind(data_shapes, label_shapes)
    module.init_params(mx.init.Xavier())
    return module


def init_optimizer(module):
    """Adam; MXNet adds ε before the bias correction, the workload after it."""
    options = {"learning_rate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    module.init_optimizer(optimizer="adam", optimizer_params=options)


def train(module, batches):
    """Train on batches of reviews and labels and return the mean loss."""
    loss = mx.metric.CrossEntropy()
    for batch in batches:
        module.forward_backward(batch)
        module.update()
        module.update_metric(loss, batch.label)
    return loss.get()[1]
