"""The figures: what a viewer would see, measured against the phones at mid-phone frames, and against the target curves."""

import numpy as np

from .phones import (CLOSE, CLOSED, FUNNEL, JAW, LOWER_DOWN, OPEN, PUCKER, ROUNDED, SPREAD, UPPER_UP)
from .targets import closure_span

CLOSED_GAP = 0.03
CLOSE_WITHIN_S = 0.040
FIGURES = ["jawOpen AUC", "mouthClose AUC", "rounding AUC", "closures shut", "closures shut at 25 fps", "open jawOpen p95",
           "pause jawOpen", "lag ms"]


def lip_gap(weights):
    """The same as `lip_gap` in `crates/avatar/src/face/lips.rs`."""
    return np.clip((weights[:, JAW] + 0.24 * (weights[:, LOWER_DOWN] + weights[:, UPPER_UP]))
                   * (1 - closeness(weights[:, CLOSE])), 0, 1)


def closeness(mouth_close):
    t = np.clip((mouth_close - 0.15) / 0.60, 0, 1)
    return t * t * (3 - 2 * t)


def reduce_to(weights, fps):
    """The same as `FrameReducer` in `crates/avatar/src/face/reduce.rs`, for the shapes that the lip gap depends on."""
    edges = [-(-frame * 100 // fps) for frame in range(len(weights) * fps // 100 + 2)]
    frames = []
    for start, end in zip(edges, edges[1:]):
        part = weights[start:end]
        if len(part) == 0:
            break
        frame = part.mean(0)
        frame[CLOSE] = part[:, CLOSE].max()
        shut = closeness(frame[CLOSE])
        for shape in (JAW, LOWER_DOWN, UPPER_UP):
            frame[shape] += shut * (part[:, shape].min() - frame[shape])
        frames.append(frame)
    return np.array(frames)


def auc(positive, negative):
    """The chance that a positive outranks a negative, ties half."""
    both = np.concatenate([positive, negative])
    order = both.argsort(kind="mergesort")
    ranks = np.empty(len(both))
    ranks[order] = np.arange(1, len(both) + 1)
    for value in np.unique(both[np.r_[np.diff(both[order]) == 0, False][np.argsort(order)]]):
        ranks[both == value] = ranks[both == value].mean()
    return (ranks[:len(positive)].sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative))


def figures(utterances, weights):
    """The row of figures for utterances and the weights predicted for each."""
    at_middle = {kind: [] for kind in (OPEN, CLOSED, ROUNDED, SPREAD)}
    shut, shut_at_25, pauses, predicted_jaw, target_jaw = [], [], [], [], []
    for utterance, predicted in zip(utterances, weights):
        gap, gap_at_25 = lip_gap(predicted), lip_gap(reduce_to(predicted, 25))
        for phone in utterance.phones:
            frame = min(int(round(phone.middle * 100)), len(predicted) - 1)
            if phone.kind:
                at_middle[phone.kind].append(predicted[frame])
            if phone.closure:
                start, end = closure_span(phone)
                middle = 0.5 * (start + end)
                first, last = middle - CLOSE_WITHIN_S, middle + CLOSE_WITHIN_S
                shut.append(gap[max(0, int(np.ceil(first * 100))):int(last * 100) + 1].min() < CLOSED_GAP)
                frames = gap_at_25[max(0, int(first * 25)):int(last * 25) + 1]
                shut_at_25.append(frames.min() < CLOSED_GAP)
            if phone.visemes == ["sil"] and phone.end - phone.start > 0.2:
                pauses.extend(predicted[int((phone.start + 0.06) * 100):int((phone.end - 0.06) * 100), JAW])
        predicted_jaw.append(predicted[:, JAW])
        target_jaw.append(utterance.target[:, JAW].astype(np.float32))
    rows = {kind: np.array(values) for kind, values in at_middle.items()}
    rounding = {kind: np.maximum(rows[kind][:, PUCKER], rows[kind][:, FUNNEL]) for kind in (ROUNDED, SPREAD)}
    return {
        "jawOpen AUC": auc(rows[OPEN][:, JAW], rows[CLOSED][:, JAW]),
        "mouthClose AUC": auc(rows[CLOSED][:, CLOSE], rows[OPEN][:, CLOSE]),
        "rounding AUC": auc(rounding[ROUNDED], rounding[SPREAD]),
        "closures shut": float(np.mean(shut)),
        "closures shut at 25 fps": float(np.mean(shut_at_25)),
        "open jawOpen p95": float(np.percentile(rows[OPEN][:, JAW], 95)),
        "pause jawOpen": float(np.mean(pauses)) if pauses else 0.0,
        "lag ms": lag_ms(predicted_jaw, target_jaw),
        "counts": {kind: len(values) for kind, values in at_middle.items()},
    }


def lag_ms(predicted, target, reach=20):
    """The shift of best correlation between predicted and perfect `jawOpen`, to a tenth of a frame; late is positive."""
    scores = []
    for shift in range(-reach, reach + 1):
        total = 0.0
        for p, t in zip(predicted, target):
            n = min(len(p), len(t))
            p, t = p[:n] - p[:n].mean(), t[:n] - t[:n].mean()
            total += (p[shift:] * t[:n - shift]).sum() if shift >= 0 else (p[:shift] * t[-shift:]).sum()
        scores.append(total)
    best = int(np.argmax(scores))
    if 0 < best < 2 * reach:
        before, at, after = scores[best - 1:best + 2]
        return 10.0 * (best - reach + 0.5 * (before - after) / (before - 2 * at + after))
    return 10.0 * (best - reach)
