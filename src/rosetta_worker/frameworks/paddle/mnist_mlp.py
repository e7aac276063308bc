"""The multi-layer perceptron on MNIST in PaddlePaddle."""

import paddle
from paddle import nn
from paddle.nn.functional import relu


class Network(nn.Layer):
    """Two hidden layers of 512 units with dropout."""

    def __init__(self):
        super().__init__()
        self.dense1 = nn.Linear(784, 512)
        self.dropout1 = nn.Dropout(0.2)
        self.dense2 = nn.Linear(512, 512)
        self.dropout2 = nn.Dropout(0.2)
        self.dense3 = nn.Linear(512, 10)

    def forward(self, x):
        """Map images, (batch, 784), to logits, (batch, 10)."""
        x = self.dropout1(relu(self.dense1(x)))
        x = self.dropout2(relu(self.dense2(x)))
        return self.dense3(x)


loss_function = nn.CrossEntropyLoss()


def make_optimizer(model):
    """RMSProp; PaddlePaddle adds ε inside the root, where 1e-14 is what 1e-7 is outside if v = 0."""
    return paddle.optimizer.RMSProp(learning_rate=0.001, rho=0.9, epsilon=1e-14, parameters=model.parameters())


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
