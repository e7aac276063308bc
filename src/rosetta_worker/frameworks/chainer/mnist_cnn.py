"""The convolutional network on MNIST in Chainer."""

import chainer
import chainer.functions as F
import chainer.links as L


class Network(chainer.Chain):
    """Two 3 × 3 convolutions and two dense layers."""

    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.conv1 = L.Convolution2D(1, 32, ksize=3)
            self.conv2 = L.Convolution2D(32, 64, ksize=3)
            self.dense1 = L.Linear(64 * 12 * 12, 128)
            self.dense2 = L.Linear(128, 10)

    def forward(self, x):
        """Map images, (batch, 1, 28, 28), to logits, (batch, 10)."""
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.dropout(F.max_pooling_2d(x, 2), 0.25)

        x = F.relu(self.dense1(x))  # a Linear flattens what it is given
        x = F.dropout(x, 0.5)
        return self.dense2(x)


loss_function = F.softmax_cross_entropy


def make_optimizer(model):
    """Adadelta; Chainer's has no learning rate, the workload's is 1."""
    return chainer.optimizers.AdaDelta(rho=0.95, eps=1e-7).setup(model)


def train(model, optimizer, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        loss = loss_function(model(images), labels)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(loss.array)
    return losses
