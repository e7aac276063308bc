"""The "Rosetta Stone" convolutional network on CIFAR-10 in PaddlePaddle."""

import paddle
from paddle import nn
from paddle.nn.functional import max_pool2d, relu


class Network(nn.Layer):
    """Four 3 × 3 convolutions and two dense layers."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2D(3, 50, kernel_size=3, padding="SAME")
        self.conv2 = nn.Conv2D(50, 50, kernel_size=3, padding="SAME")
        self.dropout1 = nn.Dropout(0.25)
        self.conv3 = nn.Conv2D(50, 100, kernel_size=3, padding="SAME")
        self.conv4 = nn.Conv2D(100, 100, kernel_size=3, padding="SAME")
        self.dropout2 = nn.Dropout(0.25)
        self.dense1 = nn.Linear(100 * 8 * 8, 512)
        self.dropout3 = nn.Dropout(0.5)
        self.dense2 = nn.Linear(512, 10)

    def forward(self, x):
        """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
        x = relu(self.conv1(x))
        x = relu(max_pool2d(self.conv2(x), 2))
        x = self.dropout1(x)

        x = relu(self.conv3(x))
        x = relu(max_pool2d(self.conv4(x), 2))
        x = self.dropout2(x)

        x = relu(self.dense1(x.flatten(1)))
        x = self.dropout3(x)
        return self.dense2(x)


loss_function = nn.CrossEntropyLoss()


def make_optimizer(model):
    """SGD with momentum; PaddlePaddle has no unit gain."""
    return paddle.optimizer.Momentum(learning_rate=0.01, momentum=0.9, parameters=model.parameters())


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
