"""Builds the speech: which voice says which sentence how, and what is never trained on."""

import pickle
import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import scipy.signal

from . import corpus, features, targets, voices

CACHE = Path(__file__).resolve().parent.parent / ".cache"
FLITE_VOICES = ["slt", "rms", "awb"]
# kal is a diphone voice of the fourth speaker; it is always trained on. awb_time is awb again, and is never used.
FLITE_ALWAYS = ["kal16"]
TRAIN_VARIANTS = ["", "f1", "f2", "f4", "m1", "m2", "m3", "m4", "m7", "klatt", "klatt2", "klatt3", "whisper", "croak",
                  "Alex", "Alicia", "anika", "antonio", "aunty", "belinda", "boris", "david", "Denis", "ed", "Gene",
                  "grandpa", "Hugo", "iven2", "Jacky", "linda", "marcelo", "Mario", "Michael", "miguel", "norbert",
                  "pablo", "paul", "quincy", "rob", "sandro", "steph", "Storm", "travis", "zac", "adam", "benjamin",
                  "caleb", "Diogo", "edward", "Gene2", "grandma", "gustave", "Henrique", "iven3", "john", "kaukovalta",
                  "Marco", "michel", "Mike", "Nguyen", "pedro", "robert", "shelby", "Tweaky", "victor"]
ENGLISH = ["en-us", "en-us", "en", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-029"]
# Scottish and southern English have the most fronted u.
ROUNDING_ACCENTS = ["en-us", "en", "en-gb-x-rp", "en-gb-scotland", "en-gb-scotland", "en-gb-x-gbclan", "en-029"]
HELD_OUT_VOICES = ["en-us+f3", "en-us+m5", "en+klatt4", "en-us+Andrea", "en-gb-scotland+m8", "en-us+Lee",
                   "en+steph3", "en-us+max", "de+f5", "fr+m6", "es+Annie", "sv+Andy"]
# Sweden's language is not trained on at all; the Swedish list in `corpus` is there for whoever adds a voice.
TRAIN_LANGUAGES = [language for language in corpus.OTHER if language != "sv"]
# Played faster or slower: another pitch, another vocal tract, another speaking rate.
SPEEDS = [0.86, 0.93, 1.0, 1.0, 1.07, 1.15]


class Utterance:
    """One sentence by one voice: what the model hears, what it should answer, and the phones behind it."""

    def __init__(self, voice, text, samples, rate, phones, speed=1.0):
        source = rate * speed
        ratio = Fraction(features.RATE / source).limit_denominator(640)
        self.voice, self.text = voice, text
        self.samples = scipy.signal.resample_poly(samples, ratio.numerator, ratio.denominator).astype(np.float32)
        self.phones = [phone.scaled(speed) for phone in phones]
        self.mel = features.log_mel(self.samples).astype(np.float16)
        curves = targets.curves(self.phones, len(samples) / source + 0.05)
        self.target = curves[:len(self.mel)].astype(np.float16)


def build(english=900, rounding=260, per_language=32, per_flite=210, seed=7):
    """All training utterances, and the held-out ones by group. Kept in the cache, because it takes a minute or two."""
    path = CACHE / f"speech-{english}-{rounding}-{per_language}-{per_flite}-{seed}.pickle"
    if path.exists():
        return pickle.loads(path.read_bytes())
    rng = random.Random(seed)
    espeak = voices.Espeak()
    train = []
    said = [(rng.choice(ENGLISH), text) for text in corpus.english(english, seed)]
    said += [(rng.choice(ROUNDING_ACCENTS), text) for text in corpus.rounding(rounding, seed)]
    for language in TRAIN_LANGUAGES:
        said += [(language, text) for text in corpus.other(language, per_language, seed)]
    for language, text in said:
        variant = rng.choice(TRAIN_VARIANTS)
        voice = f"{language}+{variant}" if variant else language
        pace, pitch = rng.randint(120, 240), rng.randint(20, 85)
        samples, phones = espeak.speak(text, voice, pace, pitch, rng.randint(20, 80))
        train.append(Utterance(f"espeak {voice}", text, samples, espeak.rate, phones, rng.choice(SPEEDS)))
    for voice in FLITE_VOICES + FLITE_ALWAYS:
        for text in corpus.english(per_flite, f"{seed}{voice}"):
            pitch = rng.randint(85, 230) if rng.random() < 0.6 else None
            spoken = voices.flite(text, voice, rng.choice([0.8, 0.9, 1.0, 1.0, 1.15, 1.3]), pitch)
            train.append(Utterance(f"flite {voice}", text, *spoken, rng.choice(SPEEDS)))
    held_out = {"espeak": [], **{voice: [] for voice in FLITE_VOICES}}
    for voice in HELD_OUT_VOICES:
        language = voice.split("+")[0]
        for index, text in enumerate(corpus.HELD_OUT_OTHER.get(language, corpus.HELD_OUT[:12])):
            samples, phones = espeak.speak(text, voice, (150, 175, 200)[index % 3], (35, 50, 65)[index % 3])
            held_out["espeak"].append(Utterance(f"espeak {voice}", text, samples, espeak.rate, phones))
    for voice in FLITE_VOICES:
        for text in corpus.HELD_OUT:
            held_out[voice].append(Utterance(f"flite {voice}", text, *voices.flite(text, voice)))
    for utterance in train:
        utterance.samples = None
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps((train, held_out)))
    return train, held_out
