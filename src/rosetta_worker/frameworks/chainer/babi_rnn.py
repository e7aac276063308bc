"""The two-branch LSTM on bAbI in Chainer."""

import chainer
import chainer.functions as F
import chainer.links as L


class Network(chainer.Chain):
    """An LSTM reads the question; another one reads the story, the question's vector added to each of its words."""

    def __init__(self, vocabulary, story_length):
        super().__init__()
        self.story_length = story_length
        with self.init_scope():
            self.story_embedding = L.EmbedID(vocabulary, 50)
            self.question_embedding = L.EmbedID(vocabulary, 50)
            self.question_lstm = L.LSTM(50, 50)
            self.lstm = L.LSTM(50, 50)
            self.dense = L.Linear(50, vocabulary)

    def forward(self, story, question):
        """Map tokens, (batch, story_length) and (batch, question's length), to logits, (batch, vocabulary)."""
        story = F.dropout(self.story_embedding(story), 0.3)

        question = F.dropout(self.question_embedding(question), 0.3)
        question = last_output(self.question_lstm, question)
        question = F.repeat(F.expand_dims(question, axis=1), self.story_length, axis=1)

        h = last_output(self.lstm, story + question)
        return self.dense(F.dropout(h, 0.3))


def last_output(lstm, x):
    """Call an LSTM, which keeps its state between calls, on every time step of (batch, time, features)."""
    lstm.reset_state()
    for x_t in F.separate(x, axis=1):
        h = lstm(x_t)
    return h


loss_function = F.softmax_cross_entropy


def make_optimizer(model):
    """Adam; Chainer adds ε before the bias correction, as Keras and the workload do."""
    return chainer.optimizers.Adam(alpha=0.001, beta1=0.9, beta2=0.999, eps=1e-7).setup(model)


def train(model, optimizer, batches):
    """Train on batches of (stories, questions, labels) and return the losses."""
    losses = []
    for stories, questions, labels in batches:
        loss = loss_function(model(stories, questions), labels)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(loss.array)
    return losses
