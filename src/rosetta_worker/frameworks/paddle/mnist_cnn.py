"""The convolutional network on MNIST in PaddlePaddle."""

import paddle
from paddle import nn
from paddle.nn.functional import max_pool2d, relu


class Network(nn.Layer):
    """Two 3 × 3 convolutions and two dense layers."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2D(1, 32, kernel_size=3)
        self.conv2 = nn.Conv2D(32, 64, kernel_size=3)
        self.dropout1 = nn.Dropout(0.25)
        self.dense1 = nn.Linear(64 * 12 * 12, 128)
        self.dropout2 = nn.Dropout(0.5)
        self.dense2 = nn.Linear(128, 10)

    def forward(self, x):
        """Map images, (batch, 1, 28, 28), to logits, (batch, 10)."""
        x = relu(self.conv1(x))
        x = relu(self.conv2(x))
        x = self.dropout1(max_pool2d(x, 2))

        x = relu(self.dense1(x.flatten(1)))
        x = self.dropout2(x)
        return self.dense2(x)


loss_function = nn.CrossEntropyLoss()


def make_optimizer(model):
    """Adadelta; PaddlePaddle adds ε inside both roots, as the workload does."""
    return paddle.optimizer.Adadelta(learning_rate=1.0, rho=0.95, epsilon=1e-7, parameters=model.parameters())


def train(model, optimizer, batches):
    """Train on batches of (images, labels) and return the losses."""
    model.train()
    losses = []
    for images, labels in batches:
        loss = loss_function(model(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        losses.append(loss.detach())
    return losses
