"""The two-branch LSTM on bAbI in PyTorch."""

import torch
from torch import nn


class Network(nn.Module):
    """An LSTM reads the question; another one reads the story, the question's vector added to each of its words."""

    def __init__(self, vocabulary, story_length):
        super().__init__()
        self.story_length = story_length
        self.story_embedding = nn.Embedding(vocabulary, 50)
        self.dropout1 = nn.Dropout(0.3)
        self.question_embedding = nn.Embedding(vocabulary, 50)
        self.dropout2 = nn.Dropout(0.3)
        self.question_lstm = nn.LSTM(50, 50, batch_first=True)
        self.lstm = nn.LSTM(50, 50, batch_first=True)
        self.dropout3 = nn.Dropout(0.3)
        self.dense = nn.Linear(50, vocabulary)
        # PyTorch adds up two biases, where the workload has one: the second stays zero.
        nn.init.zeros_(self.question_lstm.bias_hh_l0).requires_grad_(False)
        nn.init.zeros_(self.lstm.bias_hh_l0).requires_grad_(False)

    def forward(self, story, question):
        """Map tokens, (batch, story_length) and (batch, question's length), to logits, (batch, vocabulary)."""
        story = self.dropout1(self.story_embedding(story))

        question = self.dropout2(self.question_embedding(question))
        _, (h, _) = self.question_lstm(question)
        question = h[-1].unsqueeze(1).expand(-1, self.story_length, -1)

        _, (h, _) = self.lstm(story + question)
        return self.dense(self.dropout3(h[-1]))


loss_function = nn.CrossEntropyLoss()


def make_optimizer(model):
    """Adam as in the paper; the workload has Keras' form, which adds ε before the bias correction."""
    return torch.optim.Adam(model.parameters(), lr=0.001, betas=(0.9, 0.999), eps=1e-7)


def train(model, optimizer, batches, device):
    """Train on batches of (stories, questions, labels) and return the losses."""
    model.train()
    losses = []
    for stories, questions, labels in batches:
        stories, questions, labels = stories.to(device), questions.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = loss_function(model(stories, questions), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return losses
