"""The convolutional network on MNIST in Caffe2."""

from caffe2.python import brew, optimizer, workspace


def add_network(model, is_test):
    """Add the operators that map "image", (batch, 1, 28, 28), to the logits, (batch, 10)."""
    x = brew.conv(model, "image", "conv1", 1, 32, kernel=3, no_gradient_to_input=1)
    x = brew.relu(model, x, x)
    x = brew.conv(model, x, "conv2", 32, 64, kernel=3)
    x = brew.relu(model, x, x)
    x = brew.max_pool(model, x, "pool1", kernel=2, stride=2)
    x = brew.dropout(model, x, "dropout1", ratio=0.25, is_test=is_test)

    x = brew.fc(model, x, "dense1", 64 * 12 * 12, 128)
    x = brew.relu(model, x, x)
    x = brew.dropout(model, x, "dropout2", ratio=0.5, is_test=is_test)
    return brew.fc(model, x, "dense2", 128, 10)


def add_loss_and_gradients(model, logits):
    """Add softmax cross-entropy, mean over the batch, and the operators of its gradients."""
    _, loss = model.SoftmaxWithLoss([logits, "label"], ["softmax", "loss"])
    model.AddGradientOperators([loss])


def add_optimizer(model):
    """Adadelta; Caffe2 adds ε inside both roots, as the workload does."""
    optimizer.build_adadelta(model, base_learning_rate=1.0, decay=0.95, epsilon=1e-7)


def train(model, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        workspace.FeedBlob("image", images)
        workspace.FeedBlob("label", labels)
        workspace.RunNet(model.net)
        losses.append(workspace.FetchBlob("loss"))
    return losses
