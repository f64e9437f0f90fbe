"""Speech with phone timings from espeak-ng (its library, by ctypes) and flite (its command, `-psdur`)."""

import ctypes
import subprocess
import tempfile

import numpy as np
import soundfile

from .phones import VOICELESS_STOPS, Phone, from_arpabet, from_ipa

PHONEME_EVENT, RATE_PARAMETER, PITCH_PARAMETER, RANGE_PARAMETER = 7, 1, 3, 4


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
                ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
                ("user_data", ctypes.c_void_p), ("id", _Id)]


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Espeak:
    """libespeak-ng in this process. One instance: the library has one global voice."""

    def __init__(self):
        self._library = ctypes.CDLL("libespeak-ng.so.1")
        synchronous, phoneme_events_in_ipa = 2, 3
        self.rate = self._library.espeak_Initialize(synchronous, 0, None, phoneme_events_in_ipa)
        if self.rate <= 0:
            raise RuntimeError("espeak-ng found no voice data: install the espeak-ng package")
        self._chunks, self._events = [], []
        self._callback = _CALLBACK(self._collect)
        self._library.espeak_SetSynthCallback(self._callback)

    def _collect(self, samples, count, events):
        if count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type != 0:
            if events[index].type == PHONEME_EVENT:
                self._events.append((events[index].sample, bytes(events[index].id.string)))
            index += 1
        return 0

    def speak(self, text, voice, words_per_minute=170, pitch=50, pitch_range=50):
        """Samples (full scale at 1, at `self.rate`) and phones. `voice` is a language and a variant, as `en-us+f3`."""
        self._chunks.clear()
        self._events.clear()
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise RuntimeError(f"espeak-ng has no voice {voice}")
        for parameter, value in ((RATE_PARAMETER, words_per_minute), (PITCH_PARAMETER, pitch),
                                 (RANGE_PARAMETER, pitch_range)):
            self._library.espeak_SetParameter(parameter, int(value), 0)
        data = text.encode()
        utf8 = 1
        self._library.espeak_Synth(data, len(data) + 1, 0, 1, 0, utf8, None, None)
        samples = np.concatenate(self._chunks).astype(np.float32) / 32768
        return samples, self._phones(samples)

    def _phones(self, samples):
        phones = []
        # An id that fills all eight bytes has no terminator and may be cut within a letter.
        marks = [(at / self.rate, name.decode(errors="ignore")) for at, name in self._events]
        marks.append((len(samples) / self.rate, ""))
        for (start, symbol), (end, _) in zip(marks, marks[1:]):
            visemes, kind, closure = from_ipa(symbol)
            base, burst = symbol.strip("ˈˌ")[:1], None
            if base in VOICELESS_STOPS:
                burst = start
                start = self._closure_start(samples, start, phones)
            if end > start:
                phones.append(Phone(start, end, visemes, kind, closure, symbol, burst))
        return phones

    def _closure_start(self, samples, burst, phones):
        """espeak-ng marks a voiceless stop at its burst. The closure is the quiet before it; the phone before gives way."""
        step = self.rate // 200
        at = int(burst * self.rate)
        local = samples[max(0, at - self.rate // 4):at + self.rate // 4]
        quiet = 10 ** (-30 / 20) * max(np.sqrt((local ** 2).mean()) if len(local) else 0.0, 1e-3)
        start = at
        while start - step > 0 and at - start < int(0.09 * self.rate):
            if np.sqrt((samples[start - step:start] ** 2).mean()) > quiet:
                break
            start -= step
        start = min(start / self.rate, burst - 0.035)
        if phones:
            before = phones[-1]
            # Two stops in a row share the quiet: the first keeps what it has until its own burst is over.
            start = max(start, before.start + 0.4 * (before.end - before.start))
            before.end = min(before.end, start)
        return max(start, 0.0)


def flite(text, voice, stretch=1.0, pitch=None):
    """Samples at their own rate, that rate, and phones, of one of flite's voices."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as wave:
        command = ["flite", "-voice", voice, "-psdur", "--setf", f"duration_stretch={stretch}"]
        if pitch:
            command += ["--setf", f"int_f0_target_mean={pitch}"]
        printed = subprocess.run(command + ["-t", text, "-o", wave.name], capture_output=True, text=True, check=True).stdout
        samples, rate = soundfile.read(wave.name, dtype="float32")
    phones, start = [], 0.0
    for entry in printed.split():
        symbol, end = entry.rsplit(":", 1)
        visemes, kind, closure = from_arpabet(symbol)
        phones.append(Phone(start, float(end), visemes, kind, closure, symbol))
        start = float(end)
    return samples, rate, phones
