"""From a synthesiser's phones to what a mouth does: symbols, visemes and the classes that the figures speak of.

Two alphabets come in: espeak-ng's IPA and flite's ARPAbet. Both become a list of visemes that share the phone's time.
"""

# The shapes the model predicts, in the order of its output; left and right are the same.
CHANNELS = ["jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthStretch", "mouthSmile", "mouthPress",
            "mouthRollLower", "mouthRollUpper", "mouthLowerDown", "mouthUpperUp", "tongueOut"]
JAW, CLOSE, FUNNEL, PUCKER, STRETCH, SMILE, PRESS, ROLL_LOWER, ROLL_UPPER, LOWER_DOWN, UPPER_UP, TONGUE = range(12)

# viseme: (jaw, funnel, pucker, stretch, smile, lower lip rolled, lower lip down, upper lip up, tongue),
#         (how strongly it insists on its jaw, its rounding, its spreading)
# A sound that does not insist takes its shape from its neighbours: that is coarticulation.
VISEMES = {
    "sil": ((0.00, 0.00, 0.00, 0.00, 0.00, 0.0, 0.00, 0.00, 0.00), (1.0, 0.6, 0.6)),
    "aa": ((0.72, 0.00, 0.00, 0.05, 0.00, 0.0, 0.28, 0.10, 0.00), (1.3, 0.8, 0.6)),
    "ae": ((0.62, 0.00, 0.00, 0.28, 0.15, 0.0, 0.32, 0.16, 0.00), (1.3, 1.0, 1.0)),
    "ah": ((0.45, 0.00, 0.00, 0.08, 0.02, 0.0, 0.20, 0.08, 0.00), (1.0, 0.6, 0.5)),
    "ax": ((0.24, 0.00, 0.00, 0.08, 0.04, 0.0, 0.12, 0.04, 0.00), (0.5, 0.3, 0.3)),
    "eh": ((0.38, 0.00, 0.00, 0.28, 0.22, 0.0, 0.22, 0.10, 0.00), (1.0, 1.0, 1.0)),
    "ih": ((0.24, 0.00, 0.00, 0.24, 0.28, 0.0, 0.16, 0.06, 0.00), (0.8, 0.9, 0.9)),
    "iy": ((0.16, 0.00, 0.00, 0.38, 0.52, 0.0, 0.16, 0.08, 0.00), (1.0, 1.2, 1.3)),
    "ao": ((0.55, 0.48, 0.12, 0.00, 0.00, 0.0, 0.14, 0.05, 0.00), (1.2, 1.1, 0.8)),
    "ow": ((0.36, 0.40, 0.64, 0.00, 0.00, 0.0, 0.06, 0.02, 0.00), (1.1, 1.4, 1.0)),
    "uh": ((0.22, 0.25, 0.45, 0.00, 0.00, 0.0, 0.06, 0.00, 0.00), (0.8, 1.0, 0.8)),
    "uw": ((0.14, 0.22, 0.85, 0.00, 0.00, 0.0, 0.04, 0.00, 0.00), (1.0, 1.6, 1.2)),
    "oe": ((0.28, 0.38, 0.55, 0.00, 0.00, 0.0, 0.08, 0.02, 0.00), (1.0, 1.3, 1.0)),
    "er": ((0.26, 0.28, 0.20, 0.00, 0.00, 0.0, 0.14, 0.04, 0.00), (0.9, 0.7, 0.6)),
    "w": ((0.12, 0.25, 0.92, 0.00, 0.00, 0.0, 0.00, 0.00, 0.00), (0.9, 1.8, 1.3)),
    "r": ((0.20, 0.38, 0.22, 0.00, 0.00, 0.0, 0.10, 0.04, 0.00), (0.5, 0.5, 0.4)),
    "y": ((0.16, 0.00, 0.00, 0.30, 0.42, 0.0, 0.14, 0.06, 0.00), (0.6, 0.7, 0.9)),
    "l": ((0.26, 0.00, 0.00, 0.08, 0.06, 0.0, 0.16, 0.04, 0.16), (0.4, 0.2, 0.2)),
    "th": ((0.14, 0.00, 0.00, 0.10, 0.06, 0.0, 0.14, 0.06, 0.36), (0.8, 0.3, 0.3)),
    "s": ((0.07, 0.00, 0.00, 0.24, 0.16, 0.0, 0.20, 0.12, 0.00), (1.0, 0.3, 0.6)),
    "sh": ((0.11, 0.62, 0.24, 0.00, 0.00, 0.0, 0.18, 0.12, 0.00), (0.9, 0.9, 0.8)),
    "t": ((0.13, 0.00, 0.00, 0.10, 0.08, 0.0, 0.14, 0.05, 0.02), (0.6, 0.15, 0.2)),
    "k": ((0.20, 0.00, 0.00, 0.06, 0.04, 0.0, 0.12, 0.04, 0.00), (0.3, 0.1, 0.1)),
    "f": ((0.07, 0.00, 0.00, 0.08, 0.04, 0.65, 0.00, 0.24, 0.00), (1.0, 0.25, 0.3)),
    "m": ((0.05, 0.00, 0.00, 0.00, 0.00, 0.30, 0.00, 0.00, 0.00), (0.9, 0.1, 0.1)),
    "h": ((0.25, 0.00, 0.00, 0.00, 0.00, 0.0, 0.10, 0.04, 0.00), (0.05, 0.03, 0.03)),
}

# How hard the lips are pressed together, and the upper one rolled in, for the sounds that shut the mouth.
CLOSURES = {"p": (0.55, 0.28), "b": (0.42, 0.24), "m": (0.28, 0.18)}

ARPABET = {
    "pau": ["sil"], "aa": ["aa"], "ae": ["ae"], "ah": ["ah"], "ax": ["ax"], "ao": ["ao"], "aw": ["aa", "aa", "uw"],
    "ay": ["aa", "aa", "iy"], "eh": ["eh"], "ey": ["eh", "iy"], "er": ["er"], "axr": ["er"], "ih": ["ih"],
    "iy": ["iy"], "ow": ["ow", "uw"], "oy": ["ao", "iy"], "uh": ["uh"], "uw": ["uw"], "w": ["w"], "r": ["r"],
    "y": ["y"], "l": ["l"], "th": ["th"], "dh": ["th"], "s": ["s"], "z": ["s"], "sh": ["sh"], "zh": ["sh"],
    "ch": ["t", "sh"], "jh": ["t", "sh"], "t": ["t"], "d": ["t"], "n": ["t"], "k": ["k"], "g": ["k"], "ng": ["k"],
    "f": ["f"], "v": ["f"], "p": ["m"], "b": ["m"], "m": ["m"], "hh": ["h"],
}

IPA = {
    "a": "aa", "ɑ": "aa", "æ": "ae", "ɐ": "ah", "ʌ": "ah", "ə": "ax", "ɘ": "ax", "ᵻ": "ax", "ɨ": "ih", "ɛ": "eh",
    "e": "eh", "ɪ": "ih", "i": "iy", "ɯ": "ih", "ɔ": "ao", "ɒ": "ao", "o": "ow", "ɵ": "oe", "ʊ": "uh", "u": "uw",
    "ʉ": "uw", "y": "uw", "ʏ": "oe", "ø": "oe", "œ": "oe", "ɜ": "er", "ɚ": "er", "ɤ": "ax", "w": "w", "ʍ": "w",
    "ɥ": "w", "ɹ": "r", "ɻ": "r", "r": "t", "ɾ": "t", "ʀ": "k", "ʁ": "k", "j": "y", "ʝ": "y", "l": "l", "ɫ": "l",
    "ɭ": "l", "ʎ": "l", "ɬ": "l", "θ": "th", "ð": "th", "s": "s", "z": "s", "ʃ": "sh", "ʒ": "sh", "ɕ": "sh",
    "ʑ": "sh", "ʂ": "sh", "ʐ": "sh", "ç": "y", "ɧ": "sh", "t": "t", "d": "t", "n": "t", "ɲ": "y", "ʈ": "t", "ɖ": "t",
    "ɳ": "t", "c": "y", "ɟ": "y", "k": "k", "ɡ": "k", "g": "k", "ŋ": "k", "x": "k", "ɣ": "k", "χ": "k", "q": "k",
    "ɰ": "k", "f": "f", "v": "f", "ʋ": "f", "ɱ": "f", "p": "m", "b": "m", "m": "m", "h": "h", "ɦ": "h", "ħ": "h",
    "ʔ": "h", "β": "h",
}

VOICELESS_STOPS = set("ptkcqʈ")
OPEN, CLOSED, ROUNDED, SPREAD = "open", "closed", "rounded", "spread"
ARPABET_CLASSES = {"aa": OPEN, "ae": OPEN, "aw": OPEN, "ay": OPEN, "p": CLOSED, "b": CLOSED, "m": CLOSED,
                   "uw": ROUNDED, "ow": ROUNDED, "w": ROUNDED, "iy": SPREAD, "ih": SPREAD, "eh": SPREAD}


class Phone:
    """One phone in time (seconds): its visemes, its class in the figures, and which closure it is, if any.

    `burst` is when a closure parts, where the synthesiser says so; else it is a share of the phone.
    """

    __slots__ = ("start", "end", "visemes", "kind", "closure", "symbol", "burst")

    def __init__(self, start, end, visemes, kind=None, closure=None, symbol="", burst=None):
        self.start, self.end, self.visemes = start, end, visemes
        self.kind, self.closure, self.symbol, self.burst = kind, closure, symbol, burst

    def scaled(self, factor):
        """The same phone in speech played `factor` times as fast."""
        burst = None if self.burst is None else self.burst / factor
        return Phone(self.start / factor, self.end / factor, self.visemes, self.kind, self.closure, self.symbol, burst)

    @property
    def middle(self):
        return 0.5 * (self.start + self.end)


def from_arpabet(symbol):
    """Visemes, class and closure of one of flite's phones."""
    return ARPABET.get(symbol, ["ax"]), ARPABET_CLASSES.get(symbol), symbol if symbol in CLOSURES else None


def from_ipa(symbol):
    """Visemes, class and closure of one of espeak-ng's phones; a pause for an empty one."""
    letters = [letter for letter in symbol if letter in IPA]
    if not letters:
        return ["sil"], None, None
    text = "".join(letters)
    if text in ("əʊ", "oʊ", "ou", "əu"):
        return ["ow", "uw"], ROUNDED, None
    visemes = [IPA[letter] for letter in letters]
    first = letters[0]
    if first in "aɑæ" and len(visemes) > 1:
        visemes.insert(0, visemes[0])
    kind = None
    if first in "aɑæ":
        kind = OPEN
    elif text in CLOSURES:
        kind = CLOSED
    elif text in ("u", "o", "w", "ʉ"):
        kind = ROUNDED
    elif text in ("i", "ɪ", "ɛ", "e"):
        kind = SPREAD
    return visemes, kind, first if first in CLOSURES else None
