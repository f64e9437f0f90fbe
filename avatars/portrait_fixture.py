"""Writes the portrait that the tests make an avatar of: a drawn person who is no shipped avatar, flat on a background.

    pip install -r requirements.txt && python3 portrait_fixture.py

`noor.jpg` is off the middle and tilted a little, as photographs are; `noor.json` are its 68 landmarks in the order of the
300-W annotation, computed from the numbers it is drawn by.
"""

import json
import math
from pathlib import Path

import numpy as np
from PIL import Image

from studio import eyes, head, mouth
from studio.hair import lock, strands
from studio.head import face_path, shifted
from studio.pad import Pad, ellipse, linear, mirrored, mix, radial, spline
from studio.person import CENTRE, REST, Person, Skin
from studio.portrait import over

OUT = Path(__file__).resolve().parent.parent / "crates" / "workshop" / "fixtures"

# The picture in pixels, pixels a unit, tilt in degrees, and where the middle of the eyes lies in it.
WIDTH, HEIGHT, SCALE, TILT, EYES_AT = 900, 1100, 2.1, 3.0, (420, 520)

PERSON = Person(
    name="noor",
    skin=Skin(light="#e0ad82", base="#c58a5f", shade="#96603f", deep="#683a26", blush="#bd6a50", lip="#a8504c", lip_dark="#69292d", rim="#f2d2a8"),
    outline=((0, 106), (40, 110), (66, 132), (78, 168), (81, 206), (80, 240), (76, 272), (68, 302), (52, 330), (32, 350), (12, 359), (0, 360)),
    eye_y=238, eye_dx=38.5, eye_width=41, eye_height=18,
    iris=("#160d08", "#4c2f1a", "#835a33"), iris_radius=10.4,
    lash="#140b08", lash_width=2.8,
    brow="#1d120d", brow_y=209, brow_weight=6.6, brow_arch=2.2,
    nose_y=289, nose_width=18,
    mouth_y=320, mouth_width=64, upper_lip=9.0, lower_lip=12.0, lip_tint=0.85,
    ear_y=250, ear_height=0, neck_width=40, collar_y=430,
)

HAIR_DARK, HAIR, HAIR_LIGHT = "#120d0c", "#2a1f1b", "#57453a"


def draw_background(pad):
    pad.everywhere(linear((0, -100), (0, 560), [(0, "#d9cdb8", 1), (0.6, "#c2b298", 1), (1, "#a08f76", 1)]))
    pad.everywhere(radial(150, 120, 420, [(0, "#fff6e2", 0.6), (1, "#c2b298", 0.0)]))


def draw_torso(pad):
    shape = spline([(CENTRE + dx, y) for dx, y in ((-44, 436), (-70, 440), (-130, 458), (-196, 496), (-230, 640), (230, 640), (196, 496), (130, 458), (70, 440), (44, 436), (20, 462), (-20, 462))], closed=True, tension=0.4)
    pad.fill(shifted(shape, 0, -4), "#4a2a1c", alpha=0.4, blur=5)
    pad.fill(shape, "#7c3346")
    with pad.inside(shape):
        pad.everywhere(linear((80, 430), (440, 560), [(0, "#b7637a", 0.7), (0.5, "#7c3346", 0.0), (1, "#34101b", 0.85)]))
        for side in (-1, 1):
            pad.stroke(spline([(CENTRE + side * 120, 470), (CENTRE + side * 140, 520), (CENTRE + side * 132, 600)]), "#2a0b15", 8, alpha=0.35, blur=6)
    pad.stroke(spline([(CENTRE - 46, 436), (CENTRE - 22, 462), (CENTRE + 22, 462), (CENTRE + 46, 436)]), "#a4566c", 4, alpha=0.8, blur=1)


def draw_hair_back(pad):
    shape = spline(mirrored([(0, 58), (54, 64), (98, 100), (112, 180), (110, 270), (112, 350), (96, 392), (60, 398), (0, 380)], CENTRE), closed=True)
    pad.fill(shape, HAIR_DARK)
    with pad.inside(shape):
        for side in (-1, 1):
            outer = [(CENTRE + side * dx, y) for dx, y in ((60, 90), (104, 150), (106, 250), (108, 340), (90, 390))]
            inner = [(CENTRE + side * dx, y) for dx, y in ((30, 100), (70, 170), (74, 260), (70, 330), (62, 380))]
            strands(pad, outer, inner, 60, (HAIR_DARK, HAIR, HAIR_LIGHT), 2.2, 0.45, seed=5 + side)


def draw_hair_front(pad):
    crown, root = (262, 62), (262, 122)
    for side, seed in ((-1, 41), (1, 42)):
        outer = [crown] + [(CENTRE + side * dx, y) for dx, y in ((56, 66), (98, 110), (112, 190), (111, 280), (110, 350), (88, 394))]
        inner = [root] + [(CENTRE + side * dx, y) for dx, y in ((32, 136), (62, 164), (77, 206), (82, 260), (80, 320), (66, 380))]
        shape = lock(outer, inner)
        pad.fill(shape, "#0c0605", alpha=0.35, blur=6)
        pad.fill(shape, mix(HAIR, HAIR_DARK, 0.3))
        with pad.inside(shape):
            strands(pad, outer, inner, 110, (HAIR_DARK, HAIR, HAIR_DARK, HAIR_LIGHT), 2.4, 0.5, seed=seed)
            strands(pad, outer, inner, 36, ("#8a7566",), 1.5, 0.28, seed=seed + 10, span=(0.14, 0.34))
    pad.stroke(spline([crown, root]), "#0a0605", 2.0, alpha=0.5, blur=1.4)


def layer(draw):
    """What is drawn, at the pads' own resolution; wider and lower than the stage."""
    pad = Pad(-140, -60, 792, 720)
    draw(pad)
    return pad.picture_fine()


def picture_fine(pad):
    """A pad's samples themselves, not averaged."""
    import skia

    raw = np.zeros((pad.surface.height(), pad.surface.width(), 4), np.uint8)
    info = skia.ImageInfo.Make(raw.shape[1], raw.shape[0], skia.kRGBA_8888_ColorType, skia.kPremul_AlphaType)
    pad.surface.readPixels(info, raw, raw.shape[1] * 4, 0, 0)
    cells = raw.astype(np.float32) / 255
    alpha = cells[..., 3:]
    return np.concatenate([np.where(alpha > 0, cells[..., :3] / np.maximum(alpha, 1e-6), 0), alpha], axis=2)


Pad.picture_fine = picture_fine


def draw_neck(pad):
    head.draw_neck(pad, PERSON)


def draw_skin(pad):
    head.draw_face(pad, PERSON)
    shade = spline([(176, 240), (182, 184), (214, 150), (262, 126), (310, 150), (330, 184), (338, 240), (350, 200), (330, 110), (256, 80), (176, 120), (166, 220)], closed=True)
    with pad.inside(face_path(PERSON)):
        pad.fill(shade, PERSON.skin.deep, alpha=0.45, blur=7)
    head.draw_brows(pad, PERSON)


def draw_eyes(pad):
    for side in (-1, 1):
        eyes.draw_ball(pad, PERSON, side)
        eyes.draw_iris(pad, PERSON, side)


def draw_face(pad):
    draw_skin(pad)
    for side in (-1, 1):
        eyes.draw_lids(pad, PERSON, side, 0.0)
    mouth.draw_mouth(pad, PERSON, REST)


def landmarks():
    """68 places in stage units."""
    p = PERSON
    shape = mouth.lips(p, REST)
    # The right half of the jaw, from the ear to the chin, at even distances.
    half = np.array([(dx, y) for dx, y in p.outline if y >= 204])
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(half, axis=0).T))])
    steps = np.linspace(0, length[-1], 9)
    jaw = np.stack([np.interp(steps, length, half[:, k]) for k in (0, 1)], axis=1)
    points = [(CENTRE - dx, y) for dx, y in jaw] + [(CENTRE + dx, y) for dx, y in jaw[-2::-1]]
    inner, outer = p.eye_dx - 21, p.eye_dx + 27
    brow = [(inner, p.brow_y + 1), (inner + 12, p.brow_y - 2), (inner + 24, p.brow_y - 4), (outer - 14, p.brow_y - 4), (outer, p.brow_y + 3)]
    points += [(CENTRE - dx, y) for dx, y in reversed(brow)] + [(CENTRE + dx, y) for dx, y in brow]
    points += [(CENTRE, p.eye_y - 8 + (p.nose_y - p.eye_y) * t) for t in (0.0, 0.3, 0.6, 0.9)]
    w = p.nose_width
    points += [(CENTRE + dx, p.nose_y + dy) for dx, dy in ((-w, 0), (-w / 2, 2), (0, 4), (w / 2, 2), (w, 0))]
    for side in (-1, 1):
        upper, lower = eyes.lid_curves(p, side, 0.0)
        if side < 0:
            upper, lower = upper[::-1], lower[::-1]
        points += [upper[0], upper[4], upper[8], upper[12], lower[8], lower[4]]
    along = lambda curve, places: [tuple(curve[k]) for k in places]
    points += along(shape.top, (0, 3, 6, 8, 10, 13, 16)) + along(shape.bottom, (13, 10, 8, 6, 3))
    points += along(shape.upper, (1, 5, 8, 11, 15)) + along(shape.lower, (11, 8, 5))
    return np.array(points)


def main():
    sheet = layer(draw_background)
    for draw in (draw_hair_back, draw_neck, draw_torso, draw_eyes, draw_face, draw_hair_front):
        sheet = over(layer(draw), sheet)
    drawn = Image.fromarray((np.clip(sheet[..., :3], 0, 1) * 255 + 0.5).astype(np.uint8))

    # From pixels of the picture to units, and from units to samples of the pad.
    angle, eyes_middle = math.radians(TILT), (CENTRE, PERSON.eye_y)
    cos, sin = math.cos(angle) / SCALE, math.sin(angle) / SCALE
    samples = drawn.width / 792
    unit = np.array([[cos, sin], [-sin, cos]])
    start = np.array(eyes_middle) - unit @ np.array(EYES_AT)
    to_pad = np.column_stack([unit * samples, (start - (-140, -60)) * samples])
    picture = drawn.transform((WIDTH, HEIGHT), Image.Transform.AFFINE, tuple(to_pad.ravel()), Image.Resampling.BICUBIC)
    rng = np.random.default_rng(1)
    grain = rng.normal(0, 1.4, (HEIGHT, WIDTH, 1))
    picture = Image.fromarray(np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8))

    places = (np.linalg.inv(unit) @ (landmarks() - start).T).T
    OUT.mkdir(exist_ok=True)
    picture.save(OUT / "noor.jpg", quality=90)
    points = ",\n  ".join(f"[{x:.2f}, {y:.2f}]" for x, y in places)
    (OUT / "noor.json").write_text(f'{{\n "scheme": "ibug68",\n "points": [\n  {points}\n ]\n}}\n')
    print(f"noor.jpg: {(OUT / 'noor.jpg').stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
