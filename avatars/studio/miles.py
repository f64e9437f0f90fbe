"""Miles: short hair, a trimmed beard, a knitted jumper."""

import numpy as np

from .head import face_path, shifted
from .pad import ellipse, linear, mirrored, mix, radial, spline
from .person import CENTRE, Person, Skin

PERSON = Person(
    name="miles",
    skin=Skin(light="#c98d63", base="#a66a45", shade="#7d4a2f", deep="#4d2819", blush="#b3543a", lip="#a45a4e", lip_dark="#5d2a26", rim="#ffd9a8"),
    outline=((0, 98), (42, 103), (68, 128), (80, 165), (83, 205), (82, 240), (79, 272), (73, 302), (62, 328), (44, 348), (20, 358), (0, 360)),
    eye_y=236, eye_dx=37.5, eye_width=40, eye_height=16.5,
    iris=("#140b07", "#4a2a17", "#7d4d2b"), iris_radius=10.2,
    lash="#120a07", lash_width=2.1,
    brow="#170e0a", brow_y=209, brow_weight=9.0, brow_arch=1.0,
    nose_y=286, nose_width=20,
    mouth_y=317, mouth_width=64, upper_lip=8.0, lower_lip=11.5, lip_tint=0.62,
    ear_y=247, ear_height=50, neck_width=52, collar_y=412,
    stubble=0.34, stubble_tone="#22120b",
)

HAIR, HAIR_LIGHT = "#17100d", "#4b352a"
# How much higher his shoulders are than drawn, in units.
RAISED = -14

KNIT, KNIT_LIGHT, KNIT_DARK = "#c98b3c", "#edb966", "#7c4d1a"


def draw_background(pad):
    pad.everywhere(linear((0, 0), (0, 512), [(0, "#5a4a6b", 1), (0.55, "#43385a", 1), (1, "#241d38", 1)]))
    pad.everywhere(radial(230, 190, 330, [(0, "#c9a9b4", 0.7), (0.45, "#836b8c", 0.4), (1, "#43385a", 0.0)]))
    for x, y, r, a in ((70, 130, 50, 0.10), (446, 110, 56, 0.09), (478, 280, 36, 0.08), (24, 310, 44, 0.07), (-100, 170, 66, 0.08), (610, 150, 70, 0.08), (-140, 330, 40, 0.06), (668, 320, 52, 0.06)):
        pad.fill(ellipse(x, y, r, r), "#ffeef2", alpha=a, blur=9)
    pad.everywhere(radial(256, 230, 520, [(0, "#000000", 0.0), (0.6, "#0c0714", 0.0), (1, "#0c0714", 0.45)]))


def draw_torso(pad):
    with pad.moved(0, RAISED):
        draw_jumper(pad)


def draw_jumper(pad):
    half = [(56, 424), (84, 428), (128, 442), (176, 462), (208, 492), (222, 530), (228, 580), (0, 580)]
    body = spline([(CENTRE - dx, y) for dx, y in half[:-1]] + [(CENTRE, 580)] + [(CENTRE + dx, y) for dx, y in half[-2::-1]] + [(CENTRE + 34, 446), (CENTRE, 456), (CENTRE - 34, 446)], closed=True, tension=0.45)
    pad.fill(shifted(body, 0, -4), "#2a130a", alpha=0.45, blur=5)
    pad.fill(body, KNIT)
    with pad.inside(body):
        pad.everywhere(linear((60, 430), (450, 540), [(0, KNIT_LIGHT, 0.75), (0.42, KNIT, 0.0), (1, "#4e2d0d", 0.85)]))
        # Ribs of the knit, following the shoulders.
        for k in range(-30, 31):
            x = CENTRE + k * 8
            lean = k * 2.3
            rib = spline([(x, 420), (x + lean * 0.4, 470), (x + lean, 580)])
            pad.stroke(rib, KNIT_DARK, 1.7, alpha=0.32, blur=0.8)
            pad.stroke(shifted(rib, 3, 0), KNIT_LIGHT, 1.4, alpha=0.20, blur=0.8)
        for side in (-1, 1):
            sleeve = spline([(CENTRE + side * 140, 452), (CENTRE + side * 152, 492), (CENTRE + side * 146, 560)])
            pad.stroke(sleeve, "#3a1f08", 7, alpha=0.5, blur=5)
            fold = spline([(CENTRE + side * 80, 462), (CENTRE + side * 104, 500), (CENTRE + side * 98, 560)])
            pad.stroke(fold, "#3a1f08", 10, alpha=0.25, blur=8)
        ridge = spline([(CENTRE - 208, 490), (CENTRE - 176, 463), (CENTRE - 128, 443), (CENTRE - 84, 429)])
        pad.stroke(ridge, "#ffe1a8", 3, alpha=0.5, blur=2)
        rim = spline([(CENTRE + 84, 429), (CENTRE + 128, 443), (CENTRE + 176, 463), (CENTRE + 210, 493)])
        pad.stroke(rim, "#ffe1c0", 2.2, alpha=0.35, blur=1.6)
    # The collar: a band around the neck.
    outer = [(CENTRE - 66, 420), (CENTRE - 50, 450), (CENTRE - 22, 469), (CENTRE, 473), (CENTRE + 22, 469), (CENTRE + 50, 450), (CENTRE + 66, 420)]
    inner = [(CENTRE - 55, 417), (CENTRE - 41, 440), (CENTRE - 18, 455), (CENTRE, 458), (CENTRE + 18, 455), (CENTRE + 41, 440), (CENTRE + 55, 417)]
    band = spline(outer + inner[::-1], closed=True, tension=0.5)
    pad.fill(shifted(band, 0, 4), "#3a1f08", alpha=0.55, blur=3)
    pad.fill(band, linear((190, 0), (322, 0), [(0, KNIT_LIGHT, 1), (0.45, KNIT, 1), (1, KNIT_DARK, 1)]))
    with pad.inside(band):
        for t in np.linspace(0, 1, 34):
            k = t * (len(outer) - 1)
            i = min(int(k), len(outer) - 2)
            f = k - i
            a = np.array(outer[i]) * (1 - f) + np.array(outer[i + 1]) * f
            b = np.array(inner[i]) * (1 - f) + np.array(inner[i + 1]) * f
            pad.stroke(spline([tuple(a), tuple(b)]), KNIT_DARK, 1.3, alpha=0.45, blur=0.6)
        pad.stroke(spline(inner, tension=0.5), "#2f1806", 3, alpha=0.6, blur=1.6)


def draw_hair_back(pad):
    """None: his hair ends above the ears."""


def draw_face_extras(pad):
    with pad.inside(face_path(PERSON)):
        draw_hair_shade(pad)


def draw_hair_shade(pad):
    """What the hair throws on the forehead, and the fade beside the ears."""
    skin = PERSON.skin
    line = spline([(CENTRE - 84, 176), (CENTRE - 74, 140), (CENTRE - 44, 126), (CENTRE, 122), (CENTRE + 44, 126), (CENTRE + 74, 140), (CENTRE + 84, 176), (CENTRE + 90, 100), (CENTRE, 80), (CENTRE - 90, 100)], closed=True)
    pad.fill(line, skin.deep, alpha=0.55, blur=6)
    for side in (-1, 1):
        fade = spline([(CENTRE + side * dx, y) for dx, y in ((86, 150), (88, 240), (80, 252), (72, 226), (74, 180), (70, 150))], closed=True)
        pad.fill(fade, HAIR, alpha=0.62, blur=5)


def draw_hair_front(pad):
    rng = np.random.default_rng(5)
    cap = [(0, 58), (40, 61), (73, 79), (91, 110), (96, 150), (94, 190), (90, 222), (85, 214), (82, 186), (79, 160), (70, 143), (46, 131), (20, 127), (0, 126)]
    shape = spline(mirrored(cap, CENTRE), closed=True)
    pad.fill(shape, HAIR, blur=1.2)
    with pad.inside(shape):
        pad.everywhere(radial(CENTRE - 30, 88, 90, [(0, HAIR_LIGHT, 0.75), (1, HAIR, 0.0)]))
        pad.everywhere(linear((CENTRE + 30, 0), (CENTRE + 96, 0), [(0, "#000000", 0.0), (1, "#000000", 0.35)]))
    # Small curls all over, lighter where the light falls, some standing out of the outline.
    for _ in range(4200):
        x, y = CENTRE + rng.uniform(-97, 97), rng.uniform(53, 214)
        if not shape.contains(x, y):
            continue
        size = rng.uniform(1.3, 2.7)
        turn = rng.uniform(0, 2 * np.pi)
        angles = turn + np.linspace(0, rng.uniform(2.5, 5.2), 7)
        curl = spline([(x + np.cos(a) * size, y + np.sin(a) * size * 0.8) for a in angles])
        lit = np.clip(1.15 - np.hypot(x - (CENTRE - 34), y - 84) / 105, 0, 1)
        tone = mix("#0b0706", "#7a5743", float(lit) * rng.uniform(0.25, 1.0))
        pad.stroke(curl, tone, rng.uniform(0.6, 1.1), alpha=0.75)
    rim = spline([(CENTRE + 40, 66), (CENTRE + 72, 84), (CENTRE + 89, 113), (CENTRE + 94, 150)])
    pad.stroke(rim, PERSON.skin.rim, 1.8, alpha=0.28, blur=1.6)
