"""The "Rosetta Stone" convolutional network on CIFAR-10 in Caffe2."""

from caffe2.python import brew, optimizer, workspace


def add_network(model, is_test):
    """Add the operators that map "image", (batch, 3, 32, 32), to the logits, (batch, 10)."""
    x = brew.conv(model, "image", "conv1", 3, 50, kernel=3, pad=1, no_gradient_to_input=1)
    x = brew.relu(model, x, x)
    x = brew.conv(model, x, "conv2", 50, 50, kernel=3, pad=1)
    x = brew.max_pool(model, x, "pool1", kernel=2, stride=2)
    x = brew.relu(model, x, "relu1")  # not in place: the pool's gradient needs its output
    x = brew.dropout(model, x, "dropout1", ratio=0.25, is_test=is_test)

    x = brew.conv(model, x, "conv3", 50, 100, kernel=3, pad=1)
    x = brew.relu(model, x, x)
    x = brew.conv(model, x, "conv4", 100, 100, kernel=3, pad=1)
    x = brew.max_pool(model, x, "pool2", kernel=2, stride=2)
    x = brew.relu(model, x, "relu2")
    x = brew.dropout(model, x, "dropout2", ratio=0.25, is_test=is_test)

    x = brew.fc(model, x, "dense1", 100 * 8 * 8, 512)
    x = brew.relu(model, x, x)
    x = brew.dropout(model, x, "dropout3", ratio=0.5, is_test=is_test)
    return brew.fc(model, x, "dense2", 512, 10)


def add_loss_and_gradients(model, logits):
    """Add softmax cross-entropy, mean over the batch, and the operators of its gradients."""
    _, loss = model.SoftmaxWithLoss([logits, "label"], ["softmax", "loss"])
    model.AddGradientOperators([loss])


def add_optimizer(model):
    """SGD with momentum; Caffe2 has no unit gain, and Nesterov's unless told otherwise."""
    optimizer.build_sgd(model, base_learning_rate=0.01, momentum=0.9, nesterov=0)


def train(model, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        workspace.FeedBlob("image", images)
        workspace.FeedBlob("label", labels)
        workspace.RunNet(model.net)
        losses.append(workspace.FetchBlob("loss"))
    return losses
