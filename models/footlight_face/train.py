"""Training: minutes on two cores."""

import math

import numpy as np
import torch

from .augment import augment
from .features import BANDS
from .net import DELAY, PAIR, FaceNet
from .phones import CHANNELS, CLOSE, FUNNEL, JAW, PUCKER

CROP = 240
BATCH = 24
LEARNING_RATE = 3e-3
WARM_UP = 20  # frames of a crop from the middle of a sentence that count for nothing: their past is missing
IMPORTANCE = {JAW: 2.5, CLOSE: 3.0, PUCKER: 2.5, FUNNEL: 2.0}
# A closure or a rounding that is missed is seen at once, one that is guessed hardly: moments that have them weigh more.
EMPHASIS = {CLOSE: 1.5, PUCKER: 1.5, FUNNEL: 1.0}


def train(utterances, steps, start=None, seed=1, log=print):
    """Trains for so many steps, from nothing or from another network's weights; the learning rate falls to nothing."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = FaceNet()
    if start is not None:
        net.load_state_dict(start)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=1e-2, betas=(0.9, 0.98))
    importance = torch.ones(len(CHANNELS))
    for channel, factor in IMPORTANCE.items():
        importance[channel] = factor
    importance /= importance.mean()
    emphasis = torch.zeros(len(CHANNELS))
    for channel, factor in EMPHASIS.items():
        emphasis[channel] = factor
    weights = np.array([_draw_weight(u) for u in utterances])
    weights /= weights.sum()
    shown = 0.0
    net.train()
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, step / 60) * 0.5 * (1 + math.cos(math.pi * step / steps))
        mel, target, counted = _batch(utterances, weights, rng)
        logits = net(augment(mel, generator))[:, DELAY:]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        # The entropy of the target is the loss's floor; without it the printed figure means nothing.
        floor = torch.nn.functional.binary_cross_entropy(target, target, reduction="none")
        squared = (torch.sigmoid(logits) - target) ** 2
        weighed = importance * (1 + emphasis * target) * counted[..., None]
        total = (((loss - floor) + 2.0 * squared) * weighed).sum() / counted.sum()
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        shown = 0.98 * shown + 0.02 * total.item()
        if step % 50 == 0:
            log(f"step {step:5d} of {steps}  loss {shown / (1 - 0.98 ** step):.4f}", flush=True)
    return net.eval()


def _draw_weight(utterance):
    """flite's few voices are drawn more often than their share of the speech: they stand for all other speakers."""
    return len(utterance.mel) * (1.6 if utterance.voice.startswith("flite") else 1.0)


def _batch(utterances, weights, rng):
    mel = np.zeros((BATCH, CROP + DELAY, BANDS), np.float32)
    target = np.zeros((BATCH, CROP, len(CHANNELS)), np.float32)
    counted = np.ones((BATCH, CROP), np.float32)
    for row, index in enumerate(rng.choice(len(utterances), BATCH, p=weights)):
        u = utterances[index]
        # A crop may begin before the sentence (silence, or the start itself) and end after it.
        start = int(rng.integers(-30, max(1, len(u.mel) - CROP + 40)))
        kind = rng.random()
        if kind < 0.15:
            start = 0
        elif kind < 0.25:
            # A long silence before the sentence: nothing may creep in while nobody speaks.
            start = -int(rng.integers(60, CROP - 40))
        first, last = max(0, start), min(len(u.mel), start + CROP + DELAY)
        mel[row, first - start:last - start] = u.mel[first:last]
        last = min(last, start + CROP)
        target[row, first - start:last - start] = u.target[first:last]
        if start > 0:
            counted[row, :WARM_UP] = 0
    return torch.from_numpy(mel), torch.from_numpy(target).clamp(0, 1), torch.from_numpy(counted)


@torch.no_grad()
def predict(net, mel):
    """Weights `[time, channels]` for one utterance, the delay taken off, silence after its end."""
    silence = np.zeros((DELAY + (len(mel) + DELAY) % PAIR, BANDS), np.float32)
    padded = np.concatenate([mel.astype(np.float32), silence])
    return torch.sigmoid(net(torch.from_numpy(padded)[None])[0, DELAY:DELAY + len(mel)]).numpy()
