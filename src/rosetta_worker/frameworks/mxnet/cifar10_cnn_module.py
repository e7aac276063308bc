"""The "Rosetta Stone" convolutional network on CIFAR-10 in MXNet's Module API."""

import mxnet as mx


def make_symbol():
    """Four 3 × 3 convolutions and two dense layers: images, (batch, 3, 32, 32), to probabilities, (batch, 10)."""
    x = mx.sym.var("image")
    x = mx.sym.Convolution(x, num_filter=50, kernel=(3, 3), pad=(1, 1), name="conv1")
    x = mx.sym.Activation(x, act_type="relu")
    x = mx.sym.Convolution(x, num_filter=50, kernel=(3, 3), pad=(1, 1), name="conv2")
    x = mx.sym.Pooling(x, pool_type="max", kernel=(2, 2), stride=(2, 2))
    x = mx.sym.Activation(x, act_type="relu")
    x = mx.sym.Dropout(x, p=0.25)

    x = mx.sym.Convolution(x, num_filter=100, kernel=(3, 3), pad=(1, 1), name="conv3")
    x = mx.sym.Activation(x, act_type="relu")
    x = mx.sym.Convolution(x, num_filter=100, kernel=(3, 3), pad=(1, 1), name="conv4")
    x = mx.sym.Pooling(x, pool_type="max", kernel=(2, 2), stride=(2, 2))
    x = mx.sym.Activation(x, act_type="relu")
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
    """SGD with momentum; MXNet has no unit gain."""
    options = {"learning_rate": 0.01, "momentum": 0.9}
    module.init_optimizer(optimizer="sgd", optimizer_params=options)


def train(module, batches):
    """Train on batches of images and labels and return the mean loss."""
    loss = mx.metric.CrossEntropy()
    for batch in batches:
        module.forward_backward(batch)
        module.update()
        module.update_metric(loss, batch.label)
    return loss.get()[1]
