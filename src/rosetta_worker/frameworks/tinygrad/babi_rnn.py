"""The two-branch LSTM on bAbI in tinygrad."""

from tinygrad import Context, TinyJit, nn

from .layers import Dropout
from .recurrent import LSTM


class Network:
    """An LSTM reads the question; another one reads the story, the question's vector added to each of its words."""

    def __init__(self, vocabulary, story_length):
        self.story_length = story_length
        self.story_embedding = nn.Embedding(vocabulary, 50)
        self.dropout1 = Dropout(0.3)
        self.question_embedding = nn.Embedding(vocabulary, 50)
        self.dropout2 = Dropout(0.3)
        self.question_lstm = LSTM(50, 50)
        self.lstm = LSTM(50, 50)
        self.dropout3 = Dropout(0.3)
        self.dense = nn.Linear(50, vocabulary)

    def __call__(self, story, question):
        """Map tokens, (batch, story_length) and (batch, question's length), to logits, (batch, vocabulary)."""
        story = self.dropout1(self.story_embedding(story))

        question = self.dropout2(self.question_embedding(question))
        question = self.question_lstm(question).unsqueeze(1).expand(-1, self.story_length, -1)

        x = self.lstm(story + question)
        return self.dense(self.dropout3(x))


def loss_function(logits, labels):
    """Softmax cross-entropy, mean over the batch."""
    return logits.sparse_categorical_crossentropy(labels)


def make_optimizer(network):
    """Adam as in the paper; the workload has Keras' form, which adds ε before the bias correction."""
    return nn.optim.Adam(nn.state.get_parameters(network), lr=0.001, b1=0.9, b2=0.999, eps=1e-7)


def make_train_step(network, optimizer):
    """Return the training step; TinyJit captures its kernels at the second call and from then on only runs them."""

    @TinyJit
    @Context(TRAINING=1)
    def train_step(stories, questions, labels):
        optimizer.zero_grad()
        loss = loss_function(network(stories, questions), labels).backward()
        return loss.realize(*optimizer.schedule_step())

    return train_step


def train(train_step, batches):
    """Train on batches of (stories, questions, labels) and return the losses."""
    losses = []
    for stories, questions, labels in batches:
        loss = train_step(stories, questions, labels)
        losses.append(loss.item())  # at once: the next step writes its loss to the same place
    return losses
