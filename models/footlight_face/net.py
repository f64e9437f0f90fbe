"""The network: two causal convolutions, a GRU and a dense head; all context from the past, and 70 ms of delay.

It answers for a moment only after it has heard 70 ms more (`DELAY` frames; the window of a frame itself reaches 10 ms
ahead: 80 ms in all). So it needs no look-ahead inside, and streaming is the plain run of it with its state kept.
"""

import torch
from torch import nn

from .features import BANDS
from .phones import CHANNELS

DELAY = 7
CHUNK = 4
KERNEL = 5
WIDE, CONTEXT, HIDDEN, HEAD = 64, 96, 160, 48


class FaceNet(nn.Module):
    """`[batch, time, BANDS]` to logits `[batch, time, CHANNELS]`, the answer for frame n at n + DELAY."""

    def __init__(self):
        super().__init__()
        self.near = nn.Conv1d(BANDS, WIDE, KERNEL)
        self.far = nn.Conv1d(WIDE, CONTEXT, KERNEL)
        self.memory = nn.GRU(CONTEXT, HIDDEN, batch_first=True)
        self.mix = nn.Linear(HIDDEN + CONTEXT, HEAD)
        self.out = nn.Linear(HEAD, len(CHANNELS))
        self.drop = nn.Dropout(0.1)

    def forward(self, mel):
        x = nn.functional.pad(mel.transpose(1, 2), (KERNEL - 1, 0))
        x = torch.relu(self.near(x))
        x = torch.relu(self.far(nn.functional.pad(x, (KERNEL - 1, 0))))
        x = self.drop(x.transpose(1, 2))
        remembered, _ = self.memory(x)
        mixed = torch.relu(self.mix(torch.cat([self.drop(remembered), x], dim=2)))
        return self.out(mixed)


def parameters(net):
    return sum(p.numel() for p in net.parameters())
