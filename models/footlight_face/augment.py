"""What happens to speech on its way to a microphone and into a file, done on band powers so that it costs next to nothing.

Gain, equalisation, a narrower band, noise, a room, another vocal tract, and blanked bands and moments. Powers add and
multiply as the sounds behind them do, but for interference between speech and noise, which averages out.
"""

import torch

from .features import BANDS, FLOOR, SCALE

SILENCE_POWER = float(FLOOR)


def augment(mel, generator):
    """A batch of log-mel frames `[batch, time, BANDS]`, spoilt differently for each entry."""
    batch, time, _ = mel.shape

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(batch, *shape, generator=generator)

    def chance(probability):
        return (torch.rand(batch, 1, 1, generator=generator) < probability).float()

    power = torch.expm1(mel / float(SCALE)) * SILENCE_POWER
    power = _other_vocal_tract(power, 1 + uniform(-0.16, 0.18, 1) * chance(0.7)[:, 0])
    power = _room(power, uniform(0.55, 0.86, 1), uniform(0.02, 0.25, 1) * chance(0.35)[:, 0])
    gain_db = uniform(-22, 8, 1, 1)
    power = power * 10 ** ((gain_db + _smooth_curve(batch, generator) * 7 * chance(0.7)) / 10)
    power = power * _band_limit(batch, generator, chance(0.25))
    # Noise between 50 and 12 dB under the speech's own level, of any colour, sometimes swelling.
    level = power.mean(dim=(1, 2), keepdim=True)
    under_db = uniform(12, 50, 1, 1)
    colour = 10 ** (_smooth_curve(batch, generator) * 12 / 10)
    # A band's power of noise is the mean of a few exponentials: two here.
    flicker = -0.5 * torch.log(torch.rand(batch, time, BANDS, generator=generator).clamp_min(1e-6)
                               * torch.rand(batch, time, BANDS, generator=generator).clamp_min(1e-6))
    power = power + level * 10 ** (-under_db / 10) * colour * flicker * chance(0.6)
    # Someone else far away: another entry of the batch, 18 to 35 dB down.
    power = power + power.roll(1, 0) * 10 ** (-uniform(18, 35, 1, 1) / 10) * chance(0.15)
    out = torch.log1p(power / SILENCE_POWER) * float(SCALE)
    out = out * _blanked(batch, time, generator)
    return out + 0.01 * torch.randn(out.shape, generator=generator)


def _smooth_curve(batch, generator):
    """A random curve over the bands, about -1 to 1."""
    knots = torch.randn(batch, 1, 6, generator=generator) * 0.5
    return torch.nn.functional.interpolate(knots, BANDS, mode="linear", align_corners=True)


def _other_vocal_tract(power, factor):
    """Moves all formants by a factor: bands are near logarithmic, so a stretch of the band axis."""
    at = (torch.arange(BANDS).float()[None] * factor).clamp(0, BANDS - 1.001)
    low = at.floor().long()
    share = (at - low)[:, None, :]
    index = low[:, None, :].expand(-1, power.shape[1], -1)
    return power.gather(2, index) * (1 - share) + power.gather(2, index + 1) * share


def _room(power, decay, share):
    """An exponential tail of 160 ms, by doubling: the sum over 16 past frames in four steps."""
    tail = power
    for steps in (1, 2, 4, 8):
        tail = tail + (decay ** steps)[..., None] * torch.nn.functional.pad(tail, (0, 0, steps, 0))[:, :-steps]
    return power + share[..., None] * (tail - power)


def _band_limit(batch, generator, applied):
    """Nothing above some band, as over a telephone or a low sampling rate; sometimes little below another."""
    bands = torch.arange(BANDS).float()[None, None]
    top = torch.randint(30, BANDS, (batch, 1, 1), generator=generator).float()
    bottom = torch.randint(0, 5, (batch, 1, 1), generator=generator).float()
    mask = torch.sigmoid((top - bands) * 2) * torch.sigmoid((bands - bottom + 0.5) * 2)
    return mask * applied + (1 - applied)


def _blanked(batch, time, generator):
    """Drops up to two runs of bands and one of up to 60 ms."""
    mask = torch.ones(batch, time, BANDS)
    draw = torch.rand(batch, 6, generator=generator)
    for entry in range(batch):
        for first, width in ((0, 1), (2, 3)):
            if draw[entry, first] < 0.5:
                start = int(draw[entry, width] * (BANDS - 6))
                mask[entry, :, start:start + 1 + int(draw[entry, first] * 10)] = 0
        if draw[entry, 4] < 0.3:
            start = int(draw[entry, 5] * (time - 6))
            mask[entry, start:start + 1 + int(draw[entry, 4] * 18)] = 0
    return mask
