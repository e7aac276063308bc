"""The multi-layer perceptron on MNIST in Caffe2."""

from caffe2.python import brew, optimizer, workspace


def add_network(model, is_test):
    """Add the operators that map "image", (batch, 784), to the logits, (batch, 10)."""
    x = brew.fc(model, "image", "dense1", 784, 512)
    x = brew.relu(model, x, x)
    x = brew.dropout(model, x, "dropout1", ratio=0.2, is_test=is_test)

    x = brew.fc(model, x, "dense2", 512, 512)
    x = brew.relu(model, x, x)
    x = brew.dropout(model, x, "dropout2", ratio=0.2, is_test=is_test)
    return brew.fc(model, x, "dense3", 512, 10)


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
