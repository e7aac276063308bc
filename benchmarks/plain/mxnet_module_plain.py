"""mnist_mlp and cifar10_cnn in MXNet's Module API: what ``harness_cost.py`` holds mxnet[module]'s figures against.

How it is called: see chunks.py.
"""

import mxnet as mx
from chunks import serve

IMAGES = {"mnist_mlp": (128, 784), "cifar10_cnn": (64, 3, 32, 32)}


def mnist_mlp(x):
    for _ in range(2):
        x = mx.sym.FullyConnected(x, num_hidden=512)
        x = mx.sym.Activation(x, act_type="relu")
        x = mx.sym.Dropout(x, p=0.2)
    return x, "rmsprop", {"learning_rate": 0.001, "gamma1": 0.9, "epsilon": 1e-14}


def cifar10_cnn(x):
    for filters in (50, 100):
        x = mx.sym.Convolution(x, num_filter=filters, kernel=(3, 3), pad=(1, 1))
        x = mx.sym.Activation(x, act_type="relu")
        x = mx.sym.Convolution(x, num_filter=filters, kernel=(3, 3), pad=(1, 1))
        x = mx.sym.Pooling(x, pool_type="max", kernel=(2, 2), stride=(2, 2))
        x = mx.sym.Activation(x, act_type="relu")
        x = mx.sym.Dropout(x, p=0.25)
    x = mx.sym.FullyConnected(mx.sym.flatten(x), num_hidden=512)
    x = mx.sym.Activation(x, act_type="relu")
    x = mx.sym.Dropout(x, p=0.5)
    return x, "sgd", {"learning_rate": 0.01, "momentum": 0.9}


def build(workload):
    network = {"mnist_mlp": mnist_mlp, "cifar10_cnn": cifar10_cnn}[workload]
    x, optimizer, options = network(mx.sym.var("data"))
    symbol = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(x, num_hidden=10), name="softmax")
    shape = IMAGES[workload]
    module = mx.mod.Module(symbol)
    module.bind([("data", shape)], [("softmax_label", shape[:1])])
    module.init_params(mx.init.Xavier())
    module.init_optimizer(optimizer=optimizer, optimizer_params=options)

    def prepare(inputs, labels):
        pairs = zip(inputs[0], labels, strict=True)
        return [mx.io.DataBatch([mx.nd.array(x)], [mx.nd.array(y)]) for x, y in pairs]

    def train(batches):
        loss = mx.metric.CrossEntropy()
        for batch in batches:
            module.forward_backward(batch)
            module.update()
            module.update_metric(loss, batch.label)
        mx.nd.waitall()
        return loss.get()[1]

    return prepare, train


serve(build)
