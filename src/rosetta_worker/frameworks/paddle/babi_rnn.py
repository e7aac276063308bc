"""The two-branch LSTM on bAbI in PaddlePaddle."""

import paddle
from paddle import nn


class Network(nn.Layer):
    """An LSTM reads the question; another one reads the story, the question's vector added to each of its words."""

    def __init__(self, vocabulary, story_length):
        super().__init__()
        self.story_length = story_length
        self.story_embedding = nn.Embedding(vocabulary, 50)
        self.dropout1 = nn.Dropout(0.3)
        self.question_embedding = nn.Embedding(vocabulary, 50)
        self.dropout2 = nn.Dropout(0.3)
        # PaddlePaddle adds up two biases, where the workload has one: the second stays zero.
        # Not by trainable=False: its LSTM has no backward pass without every bias's gradient (Paddle's issue 58158).
        unused = paddle.ParamAttr(initializer=nn.initializer.Constant(0.0), learning_rate=0.0)
        self.question_lstm = nn.LSTM(50, 50, bias_hh_attr=unused)
        self.lstm = nn.LSTM(50, 50, bias_hh_attr=unused)
        self.dropout3 = nn.Dropout(0.3)
        self.dense = nn.Linear(50, vocabulary)

    def forward(self, story, question):
        """Map tokens, (batch, story_length) and (batch, question's length), to logits, (batch, vocabulary)."""
        story = self.dropout1(self.story_embedding(story))

        question = self.dropout2(self.question_embedding(question))
        _, (h, _) = self.question_lstm(question)
        question = h[-1].unsqueeze(1).expand([-1, self.story_length, -1])

        _, (h, _) = self.lstm(story + question)
        return self.dense(self.dropout3(h[-1]))


loss_function = nn.CrossEntropyLoss()


def make_optimizer(model):
    """Adam as in the paper; the workload has Keras' form, which adds ε before the bias correction."""
    return paddle.optimizer.Adam(
        learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-7, parameters=model.parameters()
    )


def train(model, optimizer, batches):
    """Train on batches of (stories, questions, labels) and return the losses."""
    model.train()
    losses = []
    for stories, questions, labels in batches:
        loss = loss_function(model(stories, questions), labels)
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        losses.append(loss.detach())
    return losses
