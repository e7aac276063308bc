"""The "Rosetta Stone" convolutional network on CIFAR-10 in Chainer."""

import chainer
import chainer.functions as F
import chainer.links as L


class Network(chainer.Chain):
    """Four 3 × 3 convolutions and two dense layers."""

    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.conv1 = L.Convolution2D(3, 50, ksize=3, pad=1)
            self.conv2 = L.Convolution2D(50, 50, ksize=3, pad=1)
            self.conv3 = L.Convolution2D(50, 100, ksize=3, pad=1)
            self.conv4 = L.Convolution2D(100, 100, ksize=3, pad=1)
            self.dense1 = L.Linear(100 * 8 * 8, 512)
            self.dense2 = L.Linear(512, 10)

    def forward(self, x):
        """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
        x = F.relu(self.conv1(x))
        x = F.relu(F.max_pooling_2d(self.conv2(x), 2))
        x = F.dropout(x, 0.25)

        x = F.relu(self.conv3(x))
        x = F.relu(F.max_pooling_2d(self.conv4(x), 2))
        x = F.dropout(x, 0.25)

        x = F.relu(self.dense1(x))  # a Linear flattens what it is given
        x = F.dropout(x, 0.5)
        return self.dense2(x)


loss_function = F.softmax_cross_entropy


def make_optimizer(model):
    """SGD with momentum; Chainer has no unit gain."""
    return chainer.optimizers.MomentumSGD(lr=0.01, momentum=0.9).setup(model)


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
