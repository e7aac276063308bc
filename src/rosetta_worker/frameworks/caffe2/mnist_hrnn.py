"""The hierarchical LSTM on MNIST in Caffe2."""

from caffe2.python import brew, optimizer, workspace

from .layers import ExactLSTMCell, lstm


def add_network(model, is_test):
    """Add the operators that map "image", (batch, 28 rows, 28 pixels), to the logits, (batch, 10)."""
    # Every row is a sequence of 28 pixels, one feature each: (28, batch · 28, 1), for time comes first.
    x, _ = model.net.Reshape("image", ["rows", "_rows_shape"], shape=(-1, 28))
    x = brew.transpose(model, x, "pixels", axes=(1, 0))
    x = model.net.ExpandDims(x, "pixel_features", dims=[2])
    x = lstm(model, x, "row_lstm", 1, 128, ExactLSTMCell)

    # Every image is a sequence of 28 rows: (28, batch, 128).
    x, _ = model.net.Reshape(x, ["row_vectors", "_row_vectors_shape"], shape=(-1, 28, 128))
    x = brew.transpose(model, x, "row_sequence", axes=(1, 0, 2))
    x = lstm(model, x, "image_lstm", 128, 128, ExactLSTMCell)
    x = model.net.Squeeze(x, "last_output", dims=[0])
    return brew.fc(model, x, "dense", 128, 10)


def add_loss_and_gradients(model, logits):
    """Add softmax cross-entropy, mean over the batch, and the operators of its gradients."""
    _, loss = model.SoftmaxWithLoss([logits, "label"], ["softmax", "loss"])
    model.AddGradientOperators([loss])


def add_optimizer(model):
    """RMSprop; Caffe2 has ε inside the root, so that it is squared here; the workload has 1e-7 outside."""
    optimizer.build_rms_prop(model, base_learning_rate=0.001, decay=0.9, epsilon=1e-14)


def train(model, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        workspace.FeedBlob("image", images)
        workspace.FeedBlob("label", labels)
        workspace.RunNet(model.net)
        losses.append(workspace.FetchBlob("loss"))
    return losses
