"""Recurrent layers as cells in a Python loop: what the variant ``cells`` has instead of ``nn.LSTM`` and ``nn.GRU``."""

import torch
from torch import nn


class LSTM(nn.LSTMCell):
    """An ``nn.LSTM`` of one layer with ``batch_first=True``."""

    def forward(self, x):
        """Map (batch, time, in) to all outputs, (batch, time, units), and the last state."""
        outputs, state = [], None
        for x_t in x.unbind(dim=1):
            state = super().forward(x_t, state)
            outputs.append(state[0])
        h, c = state
        return torch.stack(outputs, dim=1), (h.unsqueeze(0), c.unsqueeze(0))


class GRU(nn.GRUCell):
    """An ``nn.GRU`` of one layer with ``batch_first=True``."""

    def forward(self, x):
        """Map (batch, time, in) to all outputs, (batch, time, units), and the last state."""
        outputs, h = [], None
        for x_t in x.unbind(dim=1):
            h = super().forward(x_t, h)
            outputs.append(h)
        return torch.stack(outputs, dim=1), h.unsqueeze(0)


LOOPS = {nn.LSTM: LSTM, nn.GRU: GRU}


def replace_fused_layers(network):
    """Put a loop with the same parameters in the place of every fused layer of the network."""
    for name, layer in list(network.named_children()):
        if type(layer) in LOOPS:
            loop = LOOPS[type(layer)](layer.input_size, layer.hidden_size)
            loop.weight_ih, loop.weight_hh = layer.weight_ih_l0, layer.weight_hh_l0
            loop.bias_ih, loop.bias_hh = layer.bias_ih_l0, layer.bias_hh_l0
            setattr(network, name, loop)
