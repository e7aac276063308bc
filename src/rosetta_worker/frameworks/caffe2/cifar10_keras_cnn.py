"""Keras' convolutional network on CIFAR-10 in Caffe2."""

from caffe2.python import brew, optimizer, workspace


def add_network(model, is_test):
    """Add the operators that map "image", (batch, 3, 32, 32), to the logits, (batch, 10)."""
    x = brew.conv(model, "image", "conv1", 3, 32, kernel=3, pad=1, no_gradient_to_input=1)
    x = brew.relu(model, x, x)
    x = brew.conv(model, x, "conv2", 32, 32, kernel=3)
    x = brew.relu(model, x, x)
    x = brew.max_pool(model, x, "pool1", kernel=2, stride=2)
    x = brew.dropout(model, x, "dropout1", ratio=0.25, is_test=is_test)

    x = brew.conv(model, x, "conv3", 32, 64, kernel=3, pad=1)
    x = brew.relu(model, x, x)
    x = brew.conv(model, x, "conv4", 64, 64, kernel=3)
    x = brew.relu(model, x, x)
    x = brew.max_pool(model, x, "pool2", kernel=2, stride=2)
    x = brew.dropout(model, x, "dropout2", ratio=0.25, is_test=is_test)

    x = brew.fc(model, x, "dense1", 64 * 6 * 6, 512)
    x = brew.relu(model, x, x)
    x = brew.dropout(model, x, "dropout3", ratio=0.5, is_test=is_test)
    return brew.fc(model, x, "dense2", 512, 10)


def add_loss_and_gradients(model, logits):
    """Add softmax cross-entropy, mean over the batch, and the operators of its gradients."""
    _, loss = model.SoftmaxWithLoss([logits, "label"], ["softmax", "loss"])
    model.AddGradientOperators([loss])


def add_optimizer(model):
    """RMSprop; Caffe2 has ε inside the root, so that it is squared here; the workload has 1e-7 outside.

    The rate falls as 1 / (1 + gamma · steps); Caffe2 counts the step before it uses the count, to 1 at first, which
    makes a difference of one in a million.
    """
    optimizer.build_rms_prop(
        model, base_learning_rate=1e-4, decay=0.9, epsilon=1e-14, policy="inv", gamma=1e-6, power=1.0
    )


def train(model, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        workspace.FeedBlob("image", images)
        workspace.FeedBlob("label", labels)
        workspace.RunNet(model.net)
        losses.append(workspace.FetchBlob("loss"))
    return losses
