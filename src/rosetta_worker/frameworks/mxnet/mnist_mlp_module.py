"""The multi-layer perceptron on MNIST in MXNet's Module API."""

import mxnet as mx


def make_symbol():
    """Two hidden layers of 512 units with dropout: images, (batch, 784), to probabilities, (batch, 10)."""
    x = mx.sym.var("image")
    x = mx.sym.FullyConnected(x, num_hidden=512, name="dense1")
    x = mx.sym.Activation(x, act_type="relu")
    x = mx.sym.Dropout(x, p=0.2)
    x = mx.sym.FullyConnected(x, num_hidden=512, name="dense2")
    x = mx.sym.Activation(x, act_type="relu")
    x = mx.sym.Dropout(x, p=0.2)
    x = mx.sym.FullyConnected(x, num_hidden=10, name="dense3")
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
