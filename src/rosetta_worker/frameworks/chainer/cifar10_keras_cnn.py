"""Keras' convolutional network on CIFAR-10 in Chainer."""

import chainer
import chainer.functions as F
import chainer.links as L


class Network(chainer.Chain):
    """Four 3 × 3 convolutions, the second of each pair without padding, and two dense layers."""

    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.conv1 = L.Convolution2D(3, 32, ksize=3, pad=1)
            self.conv2 = L.Convolution2D(32, 32, ksize=3)
            self.conv3 = L.Convolution2D(32, 64, ksize=3, pad=1)
            self.conv4 = L.Convolution2D(64, 64, ksize=3)
            self.dense1 = L.Linear(64 * 6 * 6, 512)
            self.dense2 = L.Linear(512, 10)

    def forward(self, x):
        """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.dropout(F.max_pooling_2d(x, 2), 0.25)

        x = F.relu(self.conv3(x))
        x = F.relu(self.conv4(x))
        x = F.max_pooling_2d(x, 2, cover_all=False)  # drops the last of the 13 rows and columns
        x = F.dropout(x, 0.25)

        x = F.relu(self.dense1(x))  # a Linear flattens what it is given
        x = F.dropout(x, 0.5)
        return self.dense2(x)


loss_function = F.softmax_cross_entropy


def make_optimizer(model):
    """RMSprop; Chainer adds ε outside the root unless told otherwise, as the workload does."""
    return chainer.optimizers.RMSprop(lr=1e-4, alpha=0.9, eps=1e-7).setup(model)


def train(model, optimizer, batches):
    """Train on batches of (images, labels) and return the losses; the rate falls with every step."""
    losses = []
    for images, labels in batches:
        loss = loss_function(model(images), labels)
        model.cleargrads()
        loss.backward()
        optimizer.lr = 1e-4 / (1 + 1e-6 * optimizer.t)
        optimizer.update()
        losses.append(loss.array)
    return losses
