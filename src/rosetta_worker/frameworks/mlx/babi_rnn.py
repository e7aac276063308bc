"""The two-branch LSTM on bAbI in MLX."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Network(nn.Module):
    """An LSTM reads the question; another one reads the story, the question's vector added to each of its words."""

    def __init__(self, vocabulary, story_length):
        super().__init__()
        self.story_length = story_length
        self.story_embedding = nn.Embedding(vocabulary, 50)
        self.dropout1 = nn.Dropout(0.3)
        self.question_embedding = nn.Embedding(vocabulary, 50)
        self.dropout2 = nn.Dropout(0.3)
        self.question_lstm = nn.LSTM(50, 50)
        self.lstm = nn.LSTM(50, 50)
        self.dropout3 = nn.Dropout(0.3)
        self.dense = nn.Linear(50, vocabulary)

    def __call__(self, story, question):
        """Map tokens, (batch, story_length) and (batch, question's length), to logits, (batch, vocabulary)."""
        story = self.dropout1(self.story_embedding(story))

        question = self.dropout2(self.question_embedding(question))
        h, _ = self.question_lstm(question)
        question = mx.repeat(h[:, -1:], self.story_length, axis=1)

        h, _ = self.lstm(story + question)
        return self.dense(self.dropout3(h[:, -1]))


def loss_function(model, stories, questions, labels):
    """Mean cross-entropy; in MLX it is this whole function that is differentiated."""
    return nn.losses.cross_entropy(model(stories, questions), labels, reduction="mean")


def learning_rate(steps_done):
    """A schedule that is Keras' bias correction; MLX's own, ``bias_correction=True``, comes before ε is added."""
    t = steps_done + 1
    return 0.001 * mx.sqrt(1 - 0.999**t) / (1 - 0.9**t)


def make_optimizer():
    """Adam as Keras has it, ε added before the bias correction."""
    return optim.Adam(learning_rate, betas=[0.9, 0.999], eps=1e-7)


def make_train_step(model, optimizer):
    """Return one step of training, which updates the model and the optimiser and returns the loss.

    It isn't compiled: nn.LSTM is a loop, and a graph of so many time steps takes mx.compile longer than it saves.
    """
    loss_and_gradients = nn.value_and_grad(model, loss_function)

    def train_step(stories, questions, labels):
        loss, gradients = loss_and_gradients(model, stories, questions, labels)
        optimizer.update(model, gradients)
        return loss

    return train_step


def train(model, optimizer, train_step, batches):
    """Train on batches of (stories, questions, labels) and return the losses; MLX is lazy: ``mx.eval`` computes."""
    model.train()
    losses = []
    for stories, questions, labels in batches:
        losses.append(train_step(stories, questions, labels))
        mx.eval(losses[-1], model.state, optimizer.state)
    return losses
