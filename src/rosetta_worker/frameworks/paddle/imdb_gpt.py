"""The GPT on characters of IMDB reviews in PaddlePaddle."""

import math

import paddle
import paddle.nn.functional as F
from paddle import nn


def linear(in_features, out_features, std=0.02):
    """Make a layer without bias."""
    weight_attr = paddle.ParamAttr(initializer=nn.initializer.Normal(std=std))
    return nn.Linear(in_features, out_features, weight_attr=weight_attr, bias_attr=False)


def embedding(rows, features):
    """Make a table of vectors."""
    return nn.Embedding(rows, features, weight_attr=paddle.ParamAttr(initializer=nn.initializer.Normal(std=0.02)))


class Block(nn.Layer):
    """Causal self-attention and a feed-forward network, each behind a normalisation and added to its input."""

    def __init__(self, features, heads, blocks):
        super().__init__()
        into_the_sum = 0.02 / math.sqrt(2 * blocks)  # what is added up grows with the number of blocks
        self.heads = heads
        self.norm1 = nn.LayerNorm(features, bias_attr=False)
        self.qkv = linear(features, 3 * features)
        self.projection = linear(features, features, into_the_sum)
        self.norm2 = nn.LayerNorm(features, bias_attr=False)
        self.expand = linear(features, 4 * features)
        self.contract = linear(4 * features, features, into_the_sum)

    def attention(self, x):
        """Map (batch, time, features) to the same shape: each position sees itself and those before."""
        batch, time, features = x.shape
        shape = (batch, time, self.heads, features // self.heads)
        q, k, v = (part.reshape(shape) for part in self.qkv(x).split(3, axis=-1))
        x = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.projection(x.reshape((batch, time, features)))

    def forward(self, x):
        """Keep the shape, (batch, time, features)."""
        x = x + self.attention(self.norm1(x))
        return x + self.contract(F.gelu(self.expand(self.norm2(x))))


class Network(nn.Layer):
    """Embeddings of characters and positions, four blocks, and the characters' table once more as the output layer."""

    def __init__(self, vocabulary=97, time=64, features=128, heads=4, blocks=4):
        super().__init__()
        self.tokens = embedding(vocabulary, features)
        self.positions = embedding(time, features)
        self.blocks = nn.LayerList(Block(features, heads, blocks) for _ in range(blocks))
        self.norm = nn.LayerNorm(features, bias_attr=False)

    def forward(self, tokens):
        """Map characters, (batch, time), to the next ones' logits, (batch, time, vocabulary)."""
        x = self.tokens(tokens) + self.positions.weight
        for block in self.blocks:
            x = block(x)
        return paddle.matmul(self.norm(x), self.tokens.weight, transpose_y=True)


loss_function = nn.CrossEntropyLoss()


def share(step):
    """Return the share of the learning rate after so many steps: a warm-up, then half a cosine down to a tenth."""
    if step < 100:
        return (step + 1) / 101
    return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * min(1, (step - 100) / 1900)))


def make_optimizer(model):
    """AdamW that only decays matrices and clips the gradients, and the schedule of its rate."""
    scheduler = paddle.optimizer.lr.LambdaDecay(learning_rate=0.001, lr_lambda=share)
    matrices = {parameter.name for parameter in model.parameters() if parameter.ndim > 1}
    optimizer = paddle.optimizer.AdamW(
        scheduler,
        beta1=0.9,
        beta2=0.99,
        epsilon=1e-8,
        parameters=model.parameters(),
        weight_decay=0.1,
        apply_decay_param_fun=lambda name: name in matrices,
        grad_clip=nn.ClipGradByGlobalNorm(1.0),
    )
    return optimizer, scheduler


def train(model, optimizer_and_scheduler, batches):
    """Train on batches of (characters, following characters) and return the losses."""
    optimizer, scheduler = optimizer_and_scheduler
    model.train()
    losses = []
    for tokens, labels in batches:
        loss = loss_function(model(tokens), labels)
        loss.backward()
        optimizer.step()
        scheduler.step()
        optimizer.clear_grad()
        losses.append(loss.detach())
    return losses
