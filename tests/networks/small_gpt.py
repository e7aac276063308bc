"""A small GPT."""

import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Causal self-attention."""

    def __init__(self, features, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(features, 3 * features)
        self.proj = nn.Linear(features, features)
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(x).split(C, dim=2)
        q = q.view(B, T, self.heads, C // self.heads).transpose(1, 2)
        k = k.view(B, T, self.heads, C // self.heads).transpose(1, 2)
        v = v.view(B, T, self.heads, C // self.heads).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        y = y.transpose(1, 2).contiguous().view(B, T, C)
        return self.drop(self.proj(y))


class MLP(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.fc = nn.Linear(features, 4 * features)
        self.gelu = nn.GELU()
        self.proj = nn.Linear(4 * features, features)
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        x = self.fc(x)
        x = self.gelu(x)
        x = self.proj(x)
        return self.drop(x)


class Block(nn.Module):
    def __init__(self, features, heads):
        super().__init__()
        self.ln1 = nn.LayerNorm(features)
        self.attn = Attention(features, heads)
        self.ln2 = nn.LayerNorm(features)
        self.mlp = MLP(features)

    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        x = x + self.mlp(self.ln2(x))
        return x


class GPT(nn.Module):
    def __init__(self, vocab=97, time=16, features=32, heads=4, blocks=4):
        super().__init__()
        self.wte = nn.Embedding(vocab, features)
        self.wpe = nn.Embedding(time, features)
        self.drop = nn.Dropout(0.1)
        self.blocks = nn.ModuleList([Block(features, heads) for _ in range(blocks)])
        self.ln = nn.LayerNorm(features)
        self.head = nn.Linear(features, vocab, bias=False)
        self.wte.weight = self.head.weight

    def forward(self, idx):
        T = idx.shape[1]
        pos = torch.arange(T, device=idx.device)
        x = self.drop(self.wte(idx) + self.wpe(pos))
        for block in self.blocks:
            x = block(x)
        x = self.ln(x)
        return self.head(x)
