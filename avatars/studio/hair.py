"""Hair drawn as locks: shapes between two guide lines, filled with single strands."""

import numpy as np

from .pad import spline


def resample(guide, count=40):
    """Points at even distances along a smooth line through the guide's points."""
    import skia

    measure = skia.PathMeasure(spline(guide), False)
    length = measure.getLength()
    points = []
    for k in range(count):
        position, _ = measure.getPosTan(length * k / (count - 1))
        points.append((position.x(), position.y()))
    return np.array(points)


def lock(outer, inner):
    """The area between two guide lines."""
    one, other = resample(outer), resample(inner)
    return spline(list(one) + list(other[::-1]), closed=True)


def strands(pad, outer, inner, count, tones, width, alpha, seed, span=(0.0, 1.0), spill=0.0):
    """Strands between two guide lines; `spill` lets some leave the lock by that many units."""
    rng = np.random.default_rng(seed)
    one, other = resample(outer), resample(inner)
    steps = np.linspace(0, 1, len(one))
    for k in range(count):
        place = rng.random()
        if spill:
            place = rng.choice((0.0, 1.0)) + rng.normal(0, 0.02)
        wave = rng.normal(0, 0.035) * np.sin(steps * rng.uniform(2, 7) + rng.uniform(0, 6))
        share = (place + wave)[:, None] if hasattr(place + wave, "shape") else place
        line = one * (1 - share) + other * share
        if spill:
            line = line + rng.normal(0, spill * 0.5, 2) * steps[:, None]
        begin = span[0] + rng.uniform(0, 0.12 if span != (0.0, 1.0) else 0.5) * (span != (0.0, 1.0) or rng.random() < 0.6)
        end = span[1] - rng.uniform(0, 0.12 if span != (0.0, 1.0) else 0.4) * (span != (0.0, 1.0) or rng.random() < 0.5)
        keep = line[(steps >= begin) & (steps <= end)]
        if len(keep) < 4:
            continue
        draw_tapered(pad, keep, tones[rng.integers(len(tones))], width * rng.uniform(0.4, 1.2), alpha * rng.uniform(0.5, 1.2))


def draw_tapered(pad, line, tone, width, alpha):
    """One strand: widest in its middle, nothing at its ends."""
    steps = np.linspace(0, 1, len(line))
    along = np.gradient(line, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    half = (np.sin(np.pi * steps) ** 0.6 * width / 2)[:, None]
    shape = spline(list(line + normal * half) + list((line - normal * half)[::-1]), closed=True)
    pad.fill(shape, tone, alpha=min(alpha, 1.0))
