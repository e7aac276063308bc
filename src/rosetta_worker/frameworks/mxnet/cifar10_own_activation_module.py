"""The convolutional network with an activation of one's own on CIFAR-10 in MXNet's Module API."""

import mxnet as mx


class LearnedSwish(mx.operator.CustomOp):
    """y = a·x·σ(b·x), a and b one for each channel, with its derivatives written out."""

    def forward(self, is_train, req, in_data, out_data, aux):
        """Map (batch, channels, height, width) to the same shape."""
        x, a, _, s = self.parts(in_data)
        self.assign(out_data[0], req[0], a * x * s)

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        """Map the loss's derivative with respect to y to those with respect to x, a and b."""
        x, a, b, s = self.parts(in_data)
        (dy,) = out_grad
        xs = x * s
        t = xs * (1 - s)
        self.assign(in_grad[0], req[0], dy * a * (s + b * t))
        self.assign(in_grad[1], req[1], (dy * xs).sum(axis=(0, 2, 3)))
        self.assign(in_grad[2], req[2], (dy * a * x * t).sum(axis=(0, 2, 3)))

    def parts(self, in_data):
        """Return x, a and b in shapes that go together, and σ(b·x)."""
        x, a, b = in_data
        a, b = a.reshape((1, -1, 1, 1)), b.reshape((1, -1, 1, 1))
        return x, a, b, mx.nd.sigmoid(b * x)


@mx.operator.register("learned_swish")
class LearnedSwishProp(mx.operator.CustomOpProp):
    """What MXNet asks about the operator before there are arrays."""

    def list_arguments(self):
        """Name x, a and b."""
        return ["data", "scale", "slope"]

    def infer_shape(self, in_shape):
        """Return the shapes of inputs, outputs and auxiliary states."""
        channels = in_shape[0][1:2]
        return [in_shape[0], channels, channels], [in_shape[0]], []

    def infer_type(self, in_type):
        """Return the dtypes of the same: all have that of x."""
        return in_type[:1] * 3, in_type[:1], []

    def create_operator(self, ctx, in_shapes, in_dtypes):
        """Make the operator itself."""
        return LearnedSwish()


def own_activation(x, name):
    """Add the activation with its parameters; with a = b = 1, as at first, it is Swish."""
    scale = mx.sym.var(name + "_scale", init=mx.init.One())
    slope = mx.sym.var(name + "_slope", init=mx.init.One())
    return mx.sym.Custom(data=x, scale=scale, slope=slope, op_type="learned_swish", name=name)


def make_symbol():
    """Two 3 × 3 convolutions with the activation and a dense layer.

    Images, (batch, 3, 32, 32), to probabilities, (batch, 10).
    """
    x = mx.sym.var("image")
    x = mx.sym.Convolution(x, num_filter=32, kernel=(3, 3), pad=(1, 1), name="conv1")
    x = own_activation(x, name="act1")
    x = mx.sym.Pooling(x, pool_type="max", kernel=(2, 2), stride=(2, 2))

    x = mx.sym.Convolution(x, num_filter=64, kernel=(3, 3), pad=(1, 1), name="conv2")
    x = own_activation(x, name="act2")
    x = mx.sym.Pooling(x, pool_type="max", kernel=(2, 2), stride=(2, 2))
    x = mx.sym.FullyConnected(mx.sym.flatten(x), num_hidden=10, name="dense")
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
