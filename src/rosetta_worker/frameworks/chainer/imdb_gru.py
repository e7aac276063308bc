"""The GRU on IMDB reviews in Chainer."""

import chainer
import chainer.functions as F
import chainer.links as L


class Network(chainer.Chain):
    """An embedding, a GRU's last output and a dense layer."""

    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.embedding = L.EmbedID(30_000, 125)
            self.gru = L.NStepGRU(n_layers=1, in_size=125, out_size=100, dropout=0)
            self.dense = L.Linear(100, 2)

    def forward(self, x):
        """Map tokens, (batch, 150), to logits, (batch, 2)."""
        x = self.embedding(x)
        h, _ = self.gru(None, F.separate(x))  # it takes one sequence of each review
        return self.dense(h[-1])


loss_function = F.softmax_cross_entropy


def make_optimizer(model):
    """Adam; Chainer adds ε before the bias correction, the workload after it."""
    return chainer.optimizers.Adam(alpha=0.001, beta1=0.9, beta2=0.999, eps=1e-8).setup(model)


def train(model, optimizer, batches):
    """Train on batches of (reviews, labels) and return the losses."""
    losses = []
    for reviews, labels in batches:
        loss = loss_function(model(reviews), labels)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(loss.array)
    return losses
