"""The TPU article's batch-normalised network on CIFAR-10 in MXNet's Module API."""

import mxnet as mx


def make_symbol():
    """Four 3 × 3 convolutions, batch normalisation before each pair, and two dense layers.

    Images, (batch, 3, 32, 32), to probabilities, (batch, 10).
    """
    x = mx.sym.var("image")
    x = mx.sym.BatchNorm(x, eps=1e-3, momentum=0.99, fix_gamma=False, name="norm1")
    x = mx.sym.Convolution(x, num_filter=32, kernel=(3, 3), pad=(1, 1), name="conv1")
    x = mx.sym.Activation(x, act_type="relu")
    x = mx.sym.Convolution(x, num_filter=32, kernel=(3, 3), pad=(1, 1), name="conv2")
    x = mx.sym.Activation(x, act_type="relu")
    x = mx.sym.Pooling(x, pool_type="max", kernel=(2, 2), stride=(2, 2))
    x = mx.sym.Dropout(x, p=0.25)

    x = mx.sym.BatchNorm(x, eps=1e-3, momentum=0.99, fix_gamma=False, name="norm2")
    x = mx.sym.Convolution(x, num_filter=64, kernel=(3, 3), pad=(1, 1), name="conv3")
    x = mx.sym.Activation(x, act_type="relu")
    x = mx.sym.Convolution(x, num_filter=64, kernel=(3, 3), name="conv4")
    x = mx.sym.Activation(x, act_type="relu")
    x = mx.sym.Pooling(x, pool_type="max", kernel=(2, 2), stride=(2, 2))
    x = mx.sym.Dropout(x, p=0.25)

    x = mx.sym.FullyConnected(mx.sym.flatten(x), num_hidden=512, name="dense1")
    x = mx.sym.Activation(x, act_type="relu")
    x = mx.sym.Dropout(x, p=0.5)
    x = mx.sym.FullyConnected(x, num_hidden=10, name="dense2")
    return mx.sym.SoftmaxOutput(x, name="softmax")


def make_module(symbol, data_shapes, label_shapes):
    """Bind the network to memory for batches of one size."""
    module = mx.mod.Module(symbol, data_names=["image"])
    module.bind(data_shapes, label_shapes)
    module.init_params(mx.init.Xavier())
    return module


def init_optimizer(module):
    """Adam; MXNet adds ε before the bias correction, as the workload does."""
    options = {"learning_rate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7}
    module.init_optimizer(optimizer="adam", optimizer_params=options)


def train(module, batches):
    """Train on batches of images and labels and return the mean loss."""
    loss = mx.metric.CrossEntropy()
    for batch in batches:
        module.forward_backward(batch)
        module.update()
        module.update_metric(loss, batch.label)
    return loss.get()[1]
