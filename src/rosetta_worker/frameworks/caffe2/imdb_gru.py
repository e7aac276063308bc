"""The "Rosetta Stone" GRU on IMDB reviews in Caffe2."""

from caffe2.python import brew, workspace

from .layers import embedding, gru
from .optimizers import build_adam


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
    """Adam; Caffe2 adds ε before the bias correction, the workload after it, as in the paper."""
    build_adam(model, base_learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8)


def train(model, batches):
    """Train on batches of (reviews, labels) and return the losses."""
    losses = []
    for reviews, labels in batches:
        workspace.FeedBlob("review", reviews)
        workspace.FeedBlob("label", labels)
        workspace.RunNet(model.net)
        losses.append(workspace.FetchBlob("loss"))
    return losses
