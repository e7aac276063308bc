"""mnist_mlp and cifar10_cnn in Chainer: what ``harness_cost.py`` holds Rosetta's figures for chainer against.

How it is called: see chunks.py.
"""

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
from chunks import serve


class MLP(chainer.Chain):
    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.dense1 = L.Linear(784, 512)
            self.dense2 = L.Linear(512, 512)
            self.dense3 = L.Linear(512, 10)

    def forward(self, x):
        x = F.dropout(F.relu(self.dense1(x)), 0.2)
        x = F.dropout(F.relu(self.dense2(x)), 0.2)
        return self.dense3(x)


class CNN(chainer.Chain):
    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.conv1 = L.Convolution2D(3, 50, 3, pad=1)
            self.conv2 = L.Convolution2D(50, 50, 3, pad=1)
            self.conv3 = L.Convolution2D(50, 100, 3, pad=1)
            self.conv4 = L.Convolution2D(100, 100, 3, pad=1)
            self.dense1 = L.Linear(6400, 512)
            self.dense2 = L.Linear(512, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.dropout(F.relu(F.max_pooling_2d(self.conv2(x), 2)), 0.25)
        x = F.relu(self.conv3(x))
        x = F.dropout(F.relu(F.max_pooling_2d(self.conv4(x), 2)), 0.25)
        return self.dense2(F.dropout(F.relu(self.dense1(x)), 0.5))


def build(workload):
    model, optimizer = {
        "mnist_mlp": (MLP, chainer.optimizers.RMSprop(lr=0.001, alpha=0.9, eps=1e-7)),
        "cifar10_cnn": (CNN, chainer.optimizers.MomentumSGD(lr=0.01, momentum=0.9)),
    }[workload]
    model = model()
    optimizer.setup(model)

    def prepare(inputs, labels):
        return list(zip(inputs[0], labels.astype(np.int32), strict=True))

    def train(batches):
        losses = []
        for x, y in batches:
            loss = F.softmax_cross_entropy(model(x), y)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            losses.append(loss.array)
        return np.array(losses)

    return prepare, train


serve(build)
