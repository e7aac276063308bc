"""The GPT on characters of IMDB reviews in PyTorch."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    """Causal self-attention and a feed-forward network, each behind a normalisation and added to its input."""

    def __init__(self, features, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(features, bias=False)
        self.qkv = nn.Linear(features, 3 * features, bias=False)
        self.projection = nn.Linear(features, features, bias=False)
        self.norm2 = nn.LayerNorm(features, bias=False)
        self.expand = nn.Linear(features, 4 * features, bias=False)
        self.contract = nn.Linear(4 * features, features, bias=False)

    def attention(self, x):
        """Map (batch, time, features) to the same shape: each position sees itself and those before."""
        batch, time, features = x.shape
        q, k, v = (
            part.view(batch, time, self.heads, features // self.heads).transpose(1, 2)
            for part in self.qkv(x).split(features, dim=2)
        )
        x = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.projection(x.transpose(1, 2).reshape(batch, time, features))

    def forward(self, x):
        """Keep the shape, (batch, time, features)."""
        x = x + self.attention(self.norm1(x))
        return x + self.contract(F.gelu(self.expand(self.norm2(x))))


class Network(nn.Module):
    """Embeddings of characters and positions, four blocks, and the characters' table once more as the output layer."""

    def __init__(self, vocabulary=97, time=64, features=128, heads=4, blocks=4):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, features)
        self.positions = nn.Embedding(time, features)
        self.blocks = nn.ModuleList(Block(features, heads) for _ in range(blocks))
        self.norm = nn.LayerNorm(features, bias=False)
        for module in self.modules():
            if isinstance(module, (nn.Embedding, nn.Linear)):
                nn.init.normal_(module.weight, std=0.02)
        for block in self.blocks:
            for layer in (block.projection, block.contract):  # what is added up grows with the number of blocks
                nn.init.normal_(layer.weight, std=0.02 / math.sqrt(2 * blocks))

    def forward(self, tokens):
        """Map characters, (batch, time), to the next ones' logits, (batch, time, vocabulary)."""
        x = self.tokens(tokens) + self.positions.weight
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.tokens.weight)


def loss_function(logits, labels):
    """Cross-entropy, mean over the batch and all positions."""
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten())


def rate(step):
    """Return the share of the learning rate after so many steps: a warm-up, then half a cosine down to a tenth."""
    if step < 100:
        return (step + 1) / 101
    return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * min(1, (step - 100) / 1900)))


def make_optimizer(model):
    """AdamW that only decays matrices, and the schedule of its rate."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.001, betas=(0.9, 0.99), eps=1e-8)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, rate)


def train(model, optimizer_and_scheduler, batches, device):
    """Train on batches of (characters, following characters) and return the losses."""
    optimizer, scheduler = optimizer_and_scheduler
    model.train()
    losses = []
    for tokens, labels in batches:
        tokens, labels = tokens.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = loss_function(model(tokens), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
        scheduler.step()
        losses.append(loss.detach())
    return losses
