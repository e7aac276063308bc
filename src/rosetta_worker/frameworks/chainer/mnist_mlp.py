"""The multi-layer perceptron on MNIST in Chainer."""

import chainer
import chainer.functions as F
import chainer.links as L


class Network(chainer.Chain):
    """Two hidden layers of 512 units with dropout."""

    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.dense1 = L.Linear(784, 512)
            self.dense2 = L.Linear(512, 512)
            self.dense3 = L.Linear(512, 10)

    def forward(self, x):
        """Map images, (batch, 784), to logits, (batch, 10)."""
        x = F.dropout(F.relu(self.dense1(x)), 0.2)
        x = F.dropout(F.relu(self.dense2(x)), 0.2)
        return self.dense3(x)


loss_function = F.softmax_cross_entropy


def make_optimizer(model):
    """RMSprop; Chainer adds ε outside the root unless told otherwise, as the workload does."""
    return chainer.optimizers.RMSprop(lr=0.001, alpha=0.9, eps=1e-7).setup(model)


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
