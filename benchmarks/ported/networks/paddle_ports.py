"""Ports to PaddlePaddle."""

import paddle
from paddle import nn
from paddle.nn import functional as F


class Cnn(nn.Layer):
    """Its running variance is the batch's own."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2D(3, 8, 3, padding=1)
        self.norm1 = nn.BatchNorm2D(8, momentum=0.9, epsilon=1e-5)
        self.pool = nn.MaxPool2D(2)
        self.conv2 = nn.Conv2D(8, 12, 3, stride=2, padding=1)
        self.norm2 = nn.BatchNorm2D(12)
        self.conv3 = nn.Conv2D(12, 12, 3, padding=1)
        self.fc1 = nn.Linear(72, 16)
        self.act = nn.GELU()
        self.drop = nn.Dropout(0.2)
        self.fc2 = nn.Linear(16, 5)

    def forward(self, x):
        x = self.pool(F.relu(self.norm1(self.conv1(x))))
        x = F.relu(self.norm2(self.conv2(x)))
        x = x + self.conv3(x)
        x = self.act(self.fc1(x.flatten(1)))
        return self.fc2(self.drop(x))


class Lstm(nn.Layer):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 10)
        self.lstm = nn.LSTM(10, 12)
        self.norm = nn.LayerNorm(12)
        self.fc = nn.Linear(12, 8)
        self.drop = nn.Dropout(0.3)
        self.out = nn.Linear(8, 4)

    def forward(self, tokens):
        x = self.embed(tokens)
        x, _ = self.lstm(x)
        x = F.tanh(self.fc(self.norm(x[:, -1])))
        return self.out(self.drop(x))


class Block(nn.Layer):
    def __init__(self, width):
        super().__init__()
        self.ln1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.ln2 = nn.LayerNorm(width)
        self.fc = nn.Linear(width, 4 * width)
        self.act = nn.GELU()
        self.out = nn.Linear(4 * width, width)

    def forward(self, x):
        x = x + self.attend(self.ln1(x))
        return x + self.out(self.act(self.fc(self.ln2(x))))

    def attend(self, x):
        batch, length, width = x.shape
        q, k, v = (a.reshape([batch, length, 2, 8]).transpose([0, 2, 1, 3]) for a in self.qkv(x).chunk(3, -1))
        scores = q.matmul(k, transpose_y=True) * 8**-0.5
        later = paddle.triu(paddle.ones([length, length]), 1).astype("bool")
        scores = paddle.where(later, paddle.full_like(scores, float("-inf")), scores)
        weights = F.softmax(scores, axis=-1)
        mixed = weights.matmul(v)
        return self.proj(mixed.transpose([0, 2, 1, 3]).reshape([batch, length, width]))


class Gpt(nn.Layer):
    def __init__(self):
        super().__init__()
        self.tok = nn.Embedding(30, 16)
        self.pos = nn.Embedding(9, 16)
        self.blocks = nn.LayerList([Block(16) for _ in range(2)])
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 30, bias_attr=False)

    def forward(self, tokens):
        x = self.tok(tokens) + self.pos(paddle.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))
