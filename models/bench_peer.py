"""The shipped face model in onnxruntime, one thread, fed as a session feeds it: the peer of `benches/benches/face.rs`.

    python3 models/bench_peer.py
"""

import statistics
import time

import numpy as np
import soundfile

from footlight_face import export, features
from footlight_face.fixtures import ROOT, SHIPPED
from footlight_face.net import CHUNK


def main():
    samples, _ = soundfile.read(ROOT / "tests/speech/weather.wav", dtype="float32")
    mel = features.log_mel(samples)
    mel = mel[:len(mel) // CHUNK * CHUNK]
    model = export.Streaming(SHIPPED, threads=1)
    rounds = []
    for _ in range(30):
        model.reset()
        began = time.perf_counter()
        for at in range(0, len(mel), CHUNK):
            model.step(mel[at:at + CHUNK])
        rounds.append((time.perf_counter() - began) / (len(mel) / CHUNK))
    print(f"onnxruntime, one thread: {statistics.median(rounds) * 1e6:.1f} us a step of {CHUNK} frames "
          f"({CHUNK * 10} ms of speech), best {min(rounds) * 1e6:.1f} us, without the log-mel")


if __name__ == "__main__":
    main()
