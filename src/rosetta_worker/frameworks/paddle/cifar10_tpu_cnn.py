"""The TPU article's batch-normalised network on CIFAR-10 in PaddlePaddle."""

import paddle
from paddle import nn
from paddle.nn.functional import max_pool2d, relu


class Network(nn.Layer):
    """Four 3 × 3 convolutions, batch normalisation before each pair, and two dense layers."""

    def __init__(self):
        super().__init__()
        self.norm1 = nn.BatchNorm2D(3, momentum=0.99, epsilon=1e-3)
        self.conv1 = nn.Conv2D(3, 32, kernel_size=3, padding="SAME")
        self.conv2 = nn.Conv2D(32, 32, kernel_size=3, padding="SAME")
        self.dropout1 = nn.Dropout(0.25)
        self.norm2 = nn.BatchNorm2D(32, momentum=0.99, epsilon=1e-3)
        self.conv3 = nn.Conv2D(32, 64, kernel_size=3, padding="SAME")
        self.conv4 = nn.Conv2D(64, 64, kernel_size=3)
        self.dropout2 = nn.Dropout(0.25)
        self.dense1 = nn.Linear(64 * 7 * 7, 512)
        self.dropout3 = nn.Dropout(0.5)
        self.dense2 = nn.Linear(512, 10)

    def forward(self, x):
        """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
        x = self.norm1(x)
        x = relu(self.conv1(x))
        x = relu(self.conv2(x))
        x = self.dropout1(max_pool2d(x, 2))

        x = self.norm2(x)
        x = relu(self.conv3(x))
        x = relu(self.conv4(x))
        x = self.dropout2(max_pool2d(x, 2))

        x = relu(self.dense1(x.flatten(1)))
        x = self.dropout3(x)
        return self.dense2(x)


loss_function = nn.CrossEntropyLoss()


def make_optimizer(model):
    """Adam as in the paper; the workload has Keras' form, which adds ε before the bias correction."""
    return paddle.optimizer.Adam(
        learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-7, parameters=model.parameters()
    )


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
