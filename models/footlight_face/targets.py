"""From phones in time to the curves that a face should follow, at 100 Hz.

Every viseme insists on some shapes more than on others. The curves are the insistence-weighted mean of the targets under
a smooth kernel, so that neighbours colour each other (coarticulation). Closures of p, b and m are laid over that: they
must be reached whatever the neighbours want.
"""

import numpy as np

from .phones import (CHANNELS, CLOSE, CLOSURES, FUNNEL, JAW, LOWER_DOWN, PRESS, PUCKER, ROLL_LOWER, ROLL_UPPER, SMILE,
                     STRETCH, TONGUE, UPPER_UP, VISEMES)

FINE = 1000  # curves are drawn at 1 kHz and then read every 10 ms
RATE = 100
# Kernel widths in seconds, whole Hann window; which of the three insistences counts.
DRAWN = {
    JAW: (0, 0.120, 0), FUNNEL: (1, 0.130, 1), PUCKER: (2, 0.130, 1), STRETCH: (3, 0.130, 2), SMILE: (4, 0.130, 2),
    ROLL_LOWER: (5, 0.090, 0), LOWER_DOWN: (6, 0.110, 0), UPPER_UP: (7, 0.110, 0), TONGUE: (8, 0.090, 0),
}
CLOSING_S = 0.055
OPENING_S = 0.055


def curves(phones, seconds):
    """Target weights, `[ceil(seconds * 100), channels]`; entry n is for the time n / 100."""
    pad = 200
    length = int(np.ceil(seconds * FINE)) + 2 * pad
    values = np.zeros((length, 9), np.float32)
    insist = np.full((length, 3), 0.6, np.float32)
    for phone in phones:
        pieces = len(phone.visemes)
        for index, viseme in enumerate(phone.visemes):
            start = phone.start + (phone.end - phone.start) * index / pieces
            end = phone.start + (phone.end - phone.start) * (index + 1) / pieces
            span = slice(max(0, int(start * FINE) + pad), max(0, int(end * FINE) + pad))
            values[span], insist[span] = VISEMES[viseme]
    drawn = np.zeros((length, len(CHANNELS)), np.float32)
    for channel, (column, width, kind) in DRAWN.items():
        kernel = np.hanning(int(width * FINE) + 2)[1:-1]
        weight = np.convolve(insist[:, kind], kernel, "same")
        drawn[:, channel] = np.convolve(values[:, column] * insist[:, kind], kernel, "same") / weight
    shut = np.zeros(length, np.float32)
    for phone in phones:
        if phone.closure:
            envelope = closure_envelope(length, closure_span(phone), pad)
            press, roll = CLOSURES[phone.closure]
            shut = np.maximum(shut, envelope)
            drawn[:, PRESS] = np.maximum(drawn[:, PRESS], press * envelope)
            drawn[:, ROLL_UPPER] = np.maximum(drawn[:, ROLL_UPPER], roll * envelope)
    drawn[:, CLOSE] = shut
    drawn[:, JAW] *= 1.0 - 0.8 * shut
    drawn[:, LOWER_DOWN] *= 1.0 - shut
    drawn[:, UPPER_UP] *= 1.0 - shut
    frames = int(np.ceil(seconds * RATE - 1e-6))
    return drawn[pad + np.arange(frames) * (FINE // RATE)]


def closure_span(phone):
    """When the lips touch: a stop's phone ends with its burst, after they have parted."""
    if phone.burst is not None:
        return phone.start, phone.burst
    length = phone.end - phone.start
    share = {"p": 0.7, "b": 0.85, "m": 1.0}[phone.closure]
    return phone.start, phone.start + share * length


def closure_envelope(length, span, pad):
    """1 while the lips touch, with rounded flanks that lie mostly outside."""
    time = (np.arange(length) - pad) / FINE
    start, end = span
    rise = np.clip((time - (start - CLOSING_S + 0.015)) / CLOSING_S, 0, 1)
    fall = np.clip(((end + OPENING_S - 0.015) - time) / OPENING_S, 0, 1)
    ramp = np.minimum(rise, fall)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
