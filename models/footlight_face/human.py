"""What real people's speech does: syllables recorded by volunteers, from Debian's klettres-data (GPL-2+; measured, never
trained on, never shipped).

The recordings carry no phone timings, so the figures are coarser: a syllable's first consonant is looked for around the
onset of sound, its vowel at its loudest moment.
"""

import re
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile

from . import features
from .evaluate import auc
from .phones import CLOSE, FUNNEL, JAW, PUCKER

RECORDINGS = Path("/usr/share/klettres")
# Languages whose recordings are named by plain consonant and vowel.
LANGUAGES = ["es", "it", "pt_BR", "lt", "hu", "tn", "cs", "nds", "da", "fr"]
SYLLABLE = re.compile(r"^([pbm]|[tdnkgslzr])([aeiou])$")


def figures(predict):
    """AUCs over all syllables; `predict` maps log-mel frames to weights."""
    closing, jaw, rounding = {True: [], False: []}, {}, {}
    for language in LANGUAGES:
        for path in sorted((RECORDINGS / language / "syllab").glob("*.ogg")):
            match = SYLLABLE.match(path.stem)
            if not match:
                continue
            samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
            samples = scipy.signal.resample_poly(samples.mean(1), features.RATE, rate).astype(np.float32)
            samples *= 0.5 / max(np.abs(samples).max(), 1e-3)
            samples = np.concatenate([np.zeros(4_800, np.float32), samples, np.zeros(3_200, np.float32)])
            weights = predict(features.log_mel(samples))
            loudness = _loudness(samples)[:len(weights)]
            onset = int(np.argmax(loudness > loudness.max() - 25))
            vowel = int(np.argmax(loudness))
            around = weights[max(0, onset - 10):onset + 10]
            closing[match[1] in "pbm"].append(around[:, CLOSE].max())
            jaw.setdefault(match[2], []).append(weights[vowel, JAW])
            rounding.setdefault(match[2], []).append(max(weights[vowel, PUCKER], weights[vowel, FUNNEL]))
    return {
        "syllables": sum(map(len, closing.values())),
        "starting with p, b, m": len(closing[True]),
        "mouthClose at the onset, p b m against other consonants, AUC": auc(np.array(closing[True]), np.array(closing[False])),
        "p, b, m with mouthClose over 0.5": float(np.mean(np.array(closing[True]) > 0.5)),
        "other consonants with mouthClose over 0.5": float(np.mean(np.array(closing[False]) > 0.5)),
        "jawOpen in a against i and u, AUC": auc(np.array(jaw["a"]), np.array(jaw["i"] + jaw["u"])),
        "rounding in u and o against i and e, AUC": auc(np.array(rounding["u"] + rounding["o"]),
                                                        np.array(rounding["i"] + rounding["e"])),
        "jawOpen in a, 95th percentile": float(np.percentile(jaw["a"], 95)),
    }


def _loudness(samples):
    """Decibels in 25 ms around every 10 ms."""
    padded = np.concatenate([np.zeros(200), samples, np.zeros(360)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 400)[::features.HOP]
    return 10 * np.log10((windows ** 2).mean(1) + 1e-9)
