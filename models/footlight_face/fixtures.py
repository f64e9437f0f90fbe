"""What the Rust tests compare themselves with: this front end's frames, and onnxruntime's answer, for one short file."""

from pathlib import Path

import numpy as np
import soundfile

from . import export, features
from .phones import CLOSE, JAW

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "crates/avatar/assets/face.onnx"


def write():
    samples, rate = soundfile.read(ROOT / "tests/speech/hello.wav", dtype="float32")
    if rate != features.RATE:
        raise RuntimeError(f"hello.wav is {rate} Hz, expected {features.RATE}")
    mel = features.log_mel(samples)
    (ROOT / "crates/avatar/src/audio/fixtures/hello.mel").write_bytes(mel[:120].astype("<f4").tobytes())
    weights = export.Streaming(SHIPPED).predict(mel)[:, [JAW, CLOSE]]
    (ROOT / "crates/avatar/src/face/fixtures/hello.weights").write_bytes(np.ascontiguousarray(weights, "<f4").tobytes())
