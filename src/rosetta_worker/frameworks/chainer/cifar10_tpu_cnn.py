"""The TPU article's batch-normalised network on CIFAR-10 in Chainer."""

import chainer
import chainer.functions as F
import chainer.links as L


class Network(chainer.Chain):
    """Four 3 × 3 convolutions, batch normalisation before each pair, and two dense layers."""

    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.norm1 = L.BatchNormalization(3, decay=0.99, eps=1e-3)
            self.conv1 = L.Convolution2D(3, 32, ksize=3, pad=1)
            self.conv2 = L.Convolution2D(32, 32, ksize=3, pad=1)
            self.norm2 = L.BatchNormalization(32, decay=0.99, eps=1e-3)
            self.conv3 = L.Convolution2D(32, 64, ksize=3, pad=1)
            self.conv4 = L.Convolution2D(64, 64, ksize=3)
            self.dense1 = L.Linear(64 * 7 * 7, 512)
            self.dense2 = L.Linear(512, 10)

    def forward(self, x):
        """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
        x = self.norm1(x)
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.dropout(F.max_pooling_2d(x, 2), 0.25)

        x = self.norm2(x)
        x = F.relu(self.conv3(x))
        x = F.relu(self.conv4(x))
        x = F.dropout(F.max_pooling_2d(x, 2), 0.25)

        x = F.relu(self.dense1(x))  # a Linear flattens what it is given
        x = F.dropout(x, 0.5)
        return self.dense2(x)


loss_function = F.softmax_cross_entropy


def make_optimizer(model):
    """Adam; Chainer adds ε before the bias correction, as Keras and the workload do."""
    return chainer.optimizers.Adam(alpha=0.001, beta1=0.9, beta2=0.999, eps=1e-7).setup(model)


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
