"""The "Rosetta Stone" GRU on IMDB reviews in Caffe2."""

from caffe2.python import brew, core, workspace

from .layers import embedding, gru


def add_network(model, is_test):
    """Add the operators that map "review", (batch, 150) tokens, to the logits, (batch, 2)."""
    x = embedding(model, "review", "embedding", 30_000, 125)
    x = gru(model, x, "gru", 125, 100)
    x = model.net.Squeeze(x, "last_output", dims=[0])
    return brew.fc(model, x, "dense", 100, 2)


def add_loss_and_gradients(model, logits):
    """Add softmax cross-entropy, mean over the batch, and the operators of its gradients."""
    _, loss = model.SoftmaxWithLoss([logits, "label"], ["softmax", "loss"])
    model.AddGradientOperators([loss])


def add_optimizer(model):
    """Adam, operator by operator, for optimizer.build_adam takes the first step for the second.

    Caffe2 adds ε before the bias correction; the workload has the paper's form, which adds it after.
    """
    rate = model.param_init_net.ConstantFill([], "rate", shape=[1], value=-0.001)  # what is added, so it is negative
    steps = model.param_init_net.ConstantFill([], "steps", shape=[1], value=0, dtype=core.DataType.INT64)
    for param in model.params:
        m = model.param_init_net.ConstantFill([param], param + "_first_moment", value=0.0)
        v = model.param_init_net.ConstantFill([param], param + "_second_moment", value=0.0)
        gradient = model.param_to_grad[param]
        model.net.Adam([param, m, v, gradient, rate, steps], [param, m, v], beta1=0.9, beta2=0.999, epsilon=1e-8)
    model.net.Iter(steps, steps)  # counts the steps done


def train(model, batches):
    """Train on batches of (reviews, labels) and return the losses."""
    losses = []
    for reviews, labels in batches:
        workspace.FeedBlob("review", reviews)
        workspace.FeedBlob("label", labels)
        workspace.RunNet(model.net)
        losses.append(workspace.FetchBlob("loss"))
    return losses
