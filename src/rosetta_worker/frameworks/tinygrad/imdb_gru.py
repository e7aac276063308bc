"""The "Rosetta Stone" GRU on IMDB reviews in tinygrad."""

from tinygrad import Context, TinyJit, nn

from .recurrent import GRU


class Network:
    """An embedding, a GRU's last output and a dense layer."""

    def __init__(self):
        self.embedding = nn.Embedding(30_000, 125)
        self.gru = GRU(125, 100)
        self.dense = nn.Linear(100, 2)

    def __call__(self, x):
        """Map tokens, (batch, 150), to logits, (batch, 2)."""
        x = self.embedding(x)
        x = self.gru(x)
        return self.dense(x)


def loss_function(logits, labels):
    """Softmax cross-entropy, mean over the batch."""
    return logits.sparse_categorical_crossentropy(labels)


def make_optimizer(network):
    """Adam as in the paper, ε after the bias correction, as the workload has it."""
    return nn.optim.Adam(nn.state.get_parameters(network), lr=0.001, b1=0.9, b2=0.999, eps=1e-8)


def make_train_step(network, optimizer):
    """Return the training step; TinyJit captures its kernels at the second call and from then on only runs them."""

    @TinyJit
    @Context(TRAINING=1)
    def train_step(reviews, labels):
        optimizer.zero_grad()
        loss = loss_function(network(reviews), labels).backward()
        return loss.realize(*optimizer.schedule_step())

    return train_step


def train(train_step, batches):
    """Train on batches of (reviews, labels) and return the losses."""
    losses = []
    for reviews, labels in batches:
        loss = train_step(reviews, labels)
        losses.append(loss.item())  # at once: the next step writes its loss to the same place
    return losses
