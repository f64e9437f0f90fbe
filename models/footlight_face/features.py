"""The log-mel front end: the same numbers as `crates/avatar/src/audio/logmel.rs`, which says what each constant is for."""

import numpy as np
import scipy.fft

RATE, BANDS, HOP, WINDOW, AHEAD, FFT = 16_000, 48, 160, 400, 160, 512
LOWEST_HZ, HIGHEST_HZ = 60.0, 7_600.0
FLOOR = np.float32(1e-6)
SCALE = np.float32(0.1)

_window = ((0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(WINDOW) + 0.5) / WINDOW)) * 4.0 / WINDOW).astype(np.float32)


def _bands():
    def mel(hz):
        return 2595.0 * np.log10(1.0 + hz / 700.0)

    edges = 700.0 * (10.0 ** (np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), BANDS + 2) / 2595.0) - 1.0)
    bins = np.arange(FFT // 2 + 1) * RATE / FFT
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(np.minimum(rising, falling), 0).astype(np.float32)


_filters = _bands()


def log_mel(samples):
    """`[ceil(len / HOP), BANDS]`, silence at 0, loud speech near 1.3."""
    samples = np.asarray(samples, np.float32)
    frames = -(-len(samples) // HOP)
    padded = np.concatenate([np.zeros(WINDOW - AHEAD, np.float32), samples, np.zeros(AHEAD + HOP, np.float32)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:frames] * _window
    power = np.abs(scipy.fft.rfft(windows, FFT).astype(np.complex64)) ** 2
    return (np.log1p(power @ _filters.T / FLOOR) * SCALE).astype(np.float32)
