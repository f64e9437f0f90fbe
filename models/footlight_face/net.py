"""The network: two causal convolutions, a GRU at half the frame rate, and a dense head that answers two frames at once.

All context lies in the past: the answer for a moment comes `DELAY` frames late instead of looking ahead. So streaming is the
plain run of it with its state kept. A pair of frames is answered when its second has been heard: the first of the pair has
then heard 70 ms more than its own moment, and with the 10 ms that a frame's window reaches ahead, 80 ms in all.
"""

import torch
from torch import nn

from .features import BANDS
from .phones import CHANNELS

DELAY = 6
CHUNK = 4
PAIR = 2
NEAR_KERNEL, FAR_KERNEL = 5, 6
WIDE, CONTEXT, HIDDEN, HEAD = 64, 96, 160, 48


class FaceNet(nn.Module):
    """`[batch, time, BANDS]` to logits `[batch, time, CHANNELS]`; time is even, and row n answers for frame n - DELAY."""

    def __init__(self):
        super().__init__()
        self.near = nn.Conv1d(BANDS, WIDE, NEAR_KERNEL)
        self.far = nn.Conv1d(WIDE, CONTEXT, FAR_KERNEL, stride=PAIR)
        self.memory = nn.GRU(CONTEXT, HIDDEN, batch_first=True)
        self.mix = nn.Linear(HIDDEN + CONTEXT, HEAD)
        self.out = nn.Linear(HEAD, PAIR * len(CHANNELS))
        self.drop = nn.Dropout(0.05)

    def forward(self, mel):
        x = nn.functional.pad(mel.transpose(1, 2), (NEAR_KERNEL - 1, 0))
        x = torch.relu(self.near(x))
        x = torch.relu(self.far(nn.functional.pad(x, (FAR_KERNEL - PAIR, 0))))
        x = self.drop(x.transpose(1, 2))
        remembered, _ = self.memory(x)
        mixed = torch.relu(self.mix(torch.cat([self.drop(remembered), x], dim=2)))
        return self.out(mixed).reshape(mel.shape[0], mel.shape[1], len(CHANNELS))


def parameters(net):
    return sum(p.numel() for p in net.parameters())
