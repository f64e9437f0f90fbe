"""Clapper: a test pattern whose bar opens in proportion to the mouth, to measure sound against picture."""

import numpy as np

from .bundle import Bundle, to_bytes
from .pad import Pad, ellipse, linear
import skia

SIDE = 512
BARS = ("#c8c8c8", "#c8c832", "#32c8c8", "#32c832", "#c832c8", "#c83232", "#3232c8")
# The window of the bar, and the height the bar has when the mouth is fully open, in pixels.
LEFT, TOP, WIDTH, HEIGHT, FULL = 128, 288, 256, 160, 128
GAPS = (0.0, 1.0)


def box(left, top, width, height):
    path = skia.Path()
    path.addRect(skia.Rect.MakeXYWH(left, top, width, height))
    return path


def card():
    pad = Pad(0, 0, SIDE, SIDE)
    pad.everywhere("#404040")
    for k, tone in enumerate(BARS):
        pad.fill(box(k * SIDE / len(BARS), 0, SIDE / len(BARS) + 1, 176), tone, alpha=0.8)
    pad.fill(box(0, 176, SIDE, 48), linear((0, 0), (SIDE, 0), [(0, "#000000", 1), (1, "#ffffff", 1)]))
    for k in range(1, 8):
        pad.stroke(box(k * 64, 0, 0.1, SIDE), "#ffffff", 1, alpha=0.18)
        pad.stroke(box(0, k * 64, SIDE, 0.1), "#ffffff", 1, alpha=0.18)
    pad.stroke(ellipse(256, 256, 240, 240), "#ffffff", 2, alpha=0.5)
    pad.fill(box(LEFT - 8, TOP - 8, WIDTH + 16, HEIGHT + 16), "#101010")
    return to_bytes(pad.picture()[..., :3])


def patch(gap):
    picture = np.full((HEIGHT, WIDTH, 3), 16, np.uint8)
    half = round(FULL * gap / 2)
    picture[HEIGHT // 2 - half : HEIGHT // 2 + half] = 240
    return picture


def mesh(gap):
    columns = np.array([0.0, WIDTH])
    half = FULL * gap / 2
    rows = [0.0, HEIGHT / 2 - half, HEIGHT / 2 + half, HEIGHT]
    return np.stack([columns, *(np.full(2, y) for y in rows)])


def build(path):
    bundle = Bundle()
    grid = [bundle.patch(f"mouth/{k:02}.png", patch(gap)) for k, gap in enumerate(GAPS)]
    bundle.write(
        path,
        {
            "name": "clapper",
            "title": "Clapper",
            "licence": "Apache-2.0",
            "width": SIDE,
            "height": SIDE,
            "seed": 0,
            "landmarks": {"mouth": [LEFT + WIDTH / 2, TOP + HEIGHT / 2]},
            "layers": [{"part": "background", **bundle.image("background.png", card(), 0, 0)}],
            "eyes": [],
            "mouth": {
                "at": [LEFT, TOP],
                "size": [WIDTH, HEIGHT],
                "columns": 2,
                "rows": 4,
                "gaps": list(GAPS),
                "widths": [0.0],
                "grid": grid,
                "mesh": bundle.numbers("mouth/mesh.i16", np.stack([mesh(gap) for gap in GAPS])),
            },
        },
    )
