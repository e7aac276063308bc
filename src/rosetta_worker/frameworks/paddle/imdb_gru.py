"""The "Rosetta Stone" GRU on IMDB reviews in PaddlePaddle."""

import paddle
from paddle import nn


class Network(nn.Layer):
    """An embedding, a GRU's last output and a dense layer."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(30_000, 125)
        self.gru = nn.GRU(125, 100)
        self.dense = nn.Linear(100, 2)

    def forward(self, x):
        """Map tokens, (batch, 150), to logits, (batch, 2)."""
        x = self.embedding(x)
        _, h = self.gru(x)
        return self.dense(h[-1])


loss_function = nn.CrossEntropyLoss()


def make_optimizer(model):
    """Adam as in the paper, ε after the bias correction, as the workload has it."""
    return paddle.optimizer.Adam(
        learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8, parameters=model.parameters()
    )


def train(model, optimizer, batches):
    """Train on batches of (reviews, labels) and return the losses."""
    model.train()
    losses = []
    for reviews, labels in batches:
        loss = loss_function(model(reviews), labels)
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        losses.append(loss.detach())
    return losses
