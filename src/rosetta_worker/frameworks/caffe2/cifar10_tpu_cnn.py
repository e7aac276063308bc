"""The TPU article's batch-normalised network on CIFAR-10 in Caffe2."""

from caffe2.python import brew, workspace

from .layers import spatial_bn
from .optimizers import build_adam


def add_network(model, is_test):
    """Add the operators that map "image", (batch, 3, 32, 32), to the logits, (batch, 10)."""
    x = spatial_bn(model, "image", "norm1", 3, epsilon=1e-3, momentum=0.99, is_test=is_test)
    x = brew.conv(model, x, "conv1", 3, 32, kernel=3, pad=1)
    x = brew.relu(model, x, x)
    x = brew.conv(model, x, "conv2", 32, 32, kernel=3, pad=1)
    x = brew.relu(model, x, x)
    x = brew.max_pool(model, x, "pool1", kernel=2, stride=2)
    x = brew.dropout(model, x, "dropout1", ratio=0.25, is_test=is_test)

    x = spatial_bn(model, x, "norm2", 32, epsilon=1e-3, momentum=0.99, is_test=is_test)
    x = brew.conv(model, x, "conv3", 32, 64, kernel=3, pad=1)
    x = brew.relu(model, x, x)
    x = brew.conv(model, x, "conv4", 64, 64, kernel=3)
    x = brew.relu(model, x, x)
    x = brew.max_pool(model, x, "pool2", kernel=2, stride=2)
    x = brew.dropout(model, x, "dropout2", ratio=0.25, is_test=is_test)

    x = brew.fc(model, x, "dense1", 64 * 7 * 7, 512)
    x = brew.relu(model, x, x)
    x = brew.dropout(model, x, "dropout3", ratio=0.5, is_test=is_test)
    return brew.fc(model, x, "dense2", 512, 10)


def add_loss_and_gradients(model, logits):
    """Add softmax cross-entropy, mean over the batch, and the operators of its gradients."""
    _, loss = model.SoftmaxWithLoss([logits, "label"], ["softmax", "loss"])
    model.AddGradientOperators([loss])


def add_optimizer(model):
    """Adam; Caffe2 adds ε before the bias correction, as the workload does."""
    build_adam(model, base_learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-7)


def train(model, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        workspace.FeedBlob("image", images)
        workspace.FeedBlob("label", labels)
        workspace.RunNet(model.net)
        losses.append(workspace.FetchBlob("loss"))
    return losses
