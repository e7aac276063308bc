"""Keras' convolutional network on CIFAR-10 in PaddlePaddle."""

import paddle
from paddle import nn
from paddle.nn.functional import max_pool2d, relu


class Network(nn.Layer):
    """Four 3 × 3 convolutions, the second of each pair without padding, and two dense layers."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2D(3, 32, kernel_size=3, padding="SAME")
        self.conv2 = nn.Conv2D(32, 32, kernel_size=3)
        self.dropout1 = nn.Dropout(0.25)
        self.conv3 = nn.Conv2D(32, 64, kernel_size=3, padding="SAME")
        self.conv4 = nn.Conv2D(64, 64, kernel_size=3)
        self.dropout2 = nn.Dropout(0.25)
        self.dense1 = nn.Linear(64 * 6 * 6, 512)
        self.dropout3 = nn.Dropout(0.5)
        self.dense2 = nn.Linear(512, 10)

    def forward(self, x):
        """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
        x = relu(self.conv1(x))
        x = relu(self.conv2(x))
        x = self.dropout1(max_pool2d(x, 2))

        x = relu(self.conv3(x))
        x = relu(self.conv4(x))
        x = self.dropout2(max_pool2d(x, 2))

        x = relu(self.dense1(x.flatten(1)))
        x = self.dropout3(x)
        return self.dense2(x)


loss_function = nn.CrossEntropyLoss()


def make_optimizer(model):
    """RMSProp; PaddlePaddle adds ε inside the root, where 1e-14 is what 1e-7 is outside if v = 0.

    A schedule lowers the rate after every step: 1e-4 / (1 + 1e-6 · steps).
    """
    scheduler = paddle.optimizer.lr.InverseTimeDecay(learning_rate=1e-4, gamma=1e-6)
    optimizer = paddle.optimizer.RMSProp(scheduler, rho=0.9, epsilon=1e-14, parameters=model.parameters())
    return optimizer, scheduler


def train(model, optimizer_and_scheduler, batches):
    """Train on batches of (images, labels) and return the losses."""
    optimizer, scheduler = optimizer_and_scheduler
    model.train()
    losses = []
    for images, labels in batches:
        loss = loss_function(model(images), labels)
        loss.backward()
        optimizer.step()
        scheduler.step()
        optimizer.clear_grad()
        losses.append(loss.detach())
    return losses
