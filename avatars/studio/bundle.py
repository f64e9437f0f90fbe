"""Packs pictures, lattices and banks into the zip that Footlight reads. The same input gives the same bytes."""

import io
import json
import zipfile
import zlib

import numpy as np
from PIL import Image

FORMAT = 1
# Displacements and mesh points are stored as 16-bit integers of this fraction of a pixel.
FRACTION = 64
EPOCH = (1980, 1, 1, 0, 0, 0)


def to_bytes(picture):
    """A float picture in 0..1 as unsigned bytes."""
    return np.clip(np.round(picture * 255), 0, 255).astype(np.uint8)


def png(array):
    """A PNG of a uint8 array [height, width, 1, 3 or 4]; the colour of invisible pixels is dropped."""
    array = array.copy()
    if array.shape[2] == 4:
        array[array[..., 3] == 0] = 0
    out = io.BytesIO()
    Image.fromarray(array.squeeze()).save(out, "PNG", optimize=True, compress_level=9)
    return out.getvalue()


def fixed(values):
    """Little-endian 16-bit fixed point."""
    scaled = np.round(np.asarray(values, float) * FRACTION)
    assert np.abs(scaled).max(initial=0) < 32768
    return scaled.astype("<i2").tobytes()


class Bundle:
    """Entries to be packed."""

    def __init__(self):
        self.entries = {}

    def image(self, name, array, left, top):
        """Adds a picture, cut to what is visible, and returns what the manifest says of it."""
        if array.shape[2] == 4:
            visible = array[..., 3] > 0
            rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
            array = array[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            left, top = left + int(columns[0]), top + int(rows[0])
        self.entries[name] = png(array)
        return {"image": name, "at": [left, top]}

    def patch(self, name, array):
        self.entries[name] = png(array)
        return name

    def numbers(self, name, values):
        self.entries[name] = fixed(values)
        return name

    def write(self, path, manifest):
        text = json.dumps({"format": FORMAT, **manifest}, indent=1)
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in [("manifest.json", text.encode()), *sorted(self.entries.items())]:
                entry = zipfile.ZipInfo(name, EPOCH)
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
                archive.writestr(entry, content, compresslevel=9)
