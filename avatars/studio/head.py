"""Neck, ears, face, nose and brows of a person."""

import math

import numpy as np
import skia

from .pad import ellipse, linear, mirrored, radial, spline
from .person import CENTRE


def jaw_shift(person, y, jaw):
    """How far the skin at height `y` goes down when the jaw opens by `jaw` (0..1), in units."""
    hinge, chin = person.mouth_y - 18, person.mouth_y + 40
    share = np.clip((y - hinge) / (chin - hinge), 0, 1)
    return JAW_DROP * jaw * share * share * (3 - 2 * share)


# How far the chin goes down with the jaw fully open, in units.
JAW_DROP = 17.0


def face_path(person, jaw=0.0):
    half = [(dx, y + float(jaw_shift(person, y, jaw))) for dx, y in person.outline]
    return spline(mirrored(half, CENTRE), closed=True)


def shifted(path, dx, dy):
    moved = skia.Path(path)
    moved.offset(dx, dy)
    return moved


def edge(path, dx, dy):
    """The part of a shape that a shifted copy of it leaves free: its shaded or lit edge."""
    return skia.Op(path, shifted(path, dx, dy), skia.PathOp.kDifference_PathOp)


def neck_path(person):
    w, chin = person.neck_width, person.chin_y
    half = [(0, chin - 70), (w, chin - 70), (w - 1, chin - 10), (w, chin + 14), (w + 5, chin + 40), (w + 20, 428), (w + 36, 540), (0, 540)]
    return spline(mirrored(half, CENTRE), closed=True, tension=0.4)


def draw_neck(pad, person):
    skin, neck = person.skin, neck_path(person)
    pad.fill(neck, skin.base)
    with pad.inside(neck):
        w = person.neck_width
        pad.fill(
            ellipse(CENTRE, 500, 200, 300),
            linear((CENTRE - w, 0), (CENTRE + w, 0), [(0, skin.light, 0.25), (0.45, skin.base, 0), (1, skin.shade, 0.95)]),
        )
        # The shadow that the chin throws.
        shadow = spline(mirrored([(0, 250), (90, 250), (84, person.chin_y + 4), (40, person.chin_y + 30), (0, person.chin_y + 38)], CENTRE + 5), closed=True)
        pad.fill(shadow, skin.deep, alpha=0.8, blur=9)
        pad.fill(shifted(face_path(person), 3, 9), skin.deep, alpha=0.6, blur=5)
        # Tendons and the notch between the collar bones.
        for side in (-1, 1):
            tendon = spline([(CENTRE + side * (w - 8), person.chin_y + 20), (CENTRE + side * (w * 0.62), 420), (CENTRE + side * 12, 452)])
            pad.stroke(tendon, skin.shade, 4, alpha=0.45, blur=3.5)
        pad.fill(ellipse(CENTRE + 1, 456, 12, 9), skin.shade, alpha=0.65, blur=5)


def draw_ear(pad, person, side):
    skin = person.skin
    x = CENTRE + side * (face_width_at(person, person.ear_y) + 3)
    y, h = person.ear_y, person.ear_height

    def at(points):
        return [(x + side * dx, y + dy * h) for dx, dy in points]

    ear = spline(at([(-6, -0.45), (4, -0.58), (12, -0.42), (12, -0.1), (8, 0.22), (3, 0.48), (-4, 0.5), (-8, 0.1)]), closed=True)
    tone = skin.base if side < 0 else skin.shade
    pad.fill(ear, tone)
    with pad.inside(ear):
        pad.fill(edge(ear, -side * 3, 2), skin.light, alpha=0.55 if side < 0 else 0.3, blur=1.6)
        inner = spline(at([(-2, -0.36), (6, -0.36), (8, -0.12), (3, 0.12), (-2, 0.2)]), closed=True)
        pad.fill(inner, skin.deep, alpha=0.55, blur=2.2)
        pad.fill(ellipse(x - side * 6, y, 6, h * 0.6), skin.deep, alpha=0.5, blur=3)


def face_width_at(person, y):
    """Half the width of the face at height `y`."""
    ys = [p[1] for p in person.outline]
    return float(np.interp(y, ys, [p[0] for p in person.outline]))


def draw_face(pad, person, jaw=0.0):
    """The skin of the face with its light and shade; no eyes, brows or mouth."""
    skin, face = person.skin, face_path(person, jaw)
    drop = lambda y: float(jaw_shift(person, y, jaw))
    chin = person.chin_y + drop(person.chin_y)
    pad.fill(face, skin.base)
    with pad.inside(face):
        # The large forms: light from the upper left, the far side turns away.
        pad.everywhere(linear((160, 90), (350, 330), [(0, skin.light, 0.75), (0.45, skin.base, 0.0), (1, skin.shade, 0.55)]))
        pad.fill(edge(face, -30, -6), skin.shade, alpha=0.75, blur=17)
        pad.fill(edge(face, -12, -5), skin.deep, alpha=0.42, blur=8)
        pad.fill(edge(face, 10, -3), skin.shade, alpha=0.45, blur=8)
        pad.fill(edge(face, 0, -10), skin.shade, alpha=0.35, blur=7)
        # Forehead and cheeks.
        pad.fill(ellipse(CENTRE - 18, person.brow_y - 44, 52, 26), skin.light, alpha=0.55, blur=16)
        cheek_y = person.nose_y - 8
        for side, strength in ((-1, 1.0), (1, 0.8)):
            pad.fill(ellipse(CENTRE + side * 50, cheek_y + 8, 22, 17), skin.blush, alpha=0.36 * strength, blur=11)
        pad.fill(ellipse(CENTRE - 46, cheek_y - 12, 20, 10), skin.light, alpha=0.6, blur=9)
        pad.fill(ellipse(CENTRE + 42, cheek_y - 12, 14, 8), skin.light, alpha=0.28, blur=8)
        # Eye sockets.
        for side in (-1, 1):
            x = CENTRE + side * person.eye_dx
            pad.fill(ellipse(x, person.eye_y - 9, person.eye_width * 0.62, 13), skin.shade, alpha=0.5, blur=7)
            pad.fill(ellipse(CENTRE + side * 17, person.eye_y - 8, 8, 15), skin.deep, alpha=0.30 if side < 0 else 0.42, blur=6)
            under = spline([(x - 17, person.eye_y + 15), (x, person.eye_y + 20), (x + 17, person.eye_y + 14)])
            pad.stroke(under, skin.shade, 4, alpha=0.4, blur=3)
        # Folds from the wings of the nose.
        for side in (-1, 1):
            fold = spline([(CENTRE + side * (person.nose_width + 5), person.nose_y - 3), (CENTRE + side * 35, person.nose_y + 14), (CENTRE + side * 41, person.mouth_y - 2)])
            pad.stroke(fold, skin.shade, 3.2, alpha=0.34, blur=3.2)
        # Chin and what lies under the lower lip.
        pad.fill(ellipse(CENTRE, person.mouth_y + 19 + drop(person.mouth_y + 20), 17, 4.5), skin.deep, alpha=0.42, blur=4)
        pad.fill(ellipse(CENTRE - 4, chin - 15, 16, 9), skin.light, alpha=0.5, blur=7)
        pad.fill(ellipse(CENTRE + 14, chin - 5, 26, 6), skin.shade, alpha=0.3, blur=6)
        draw_stubble(pad, person, jaw)
        draw_nose(pad, person)
        # A cool light from behind on the far edge.
        pad.fill(edge(face, -3, 0), skin.rim, alpha=0.35, blur=2)


def draw_nose(pad, person):
    skin, y, w = person.skin, person.nose_y, person.nose_width
    top = person.eye_y - 14
    shadow = spline([(CENTRE + 5, top + 10), (CENTRE + 9, y - 34), (CENTRE + w - 2, y - 10), (CENTRE + w - 1, y), (CENTRE + 4, y - 8), (CENTRE + 4, y - 34)], closed=True)
    pad.fill(shadow, skin.shade, alpha=0.75, blur=4)
    bridge = spline([(CENTRE - 3, top + 4), (CENTRE - 2, y - 32), (CENTRE - 3, y - 16)])
    pad.stroke(bridge, skin.light, 6, alpha=0.65, blur=3.5)
    # The ball, its wings and the shadow beneath.
    pad.fill(ellipse(CENTRE + 1, y + 5, w * 0.85, 4), skin.deep, alpha=0.38, blur=3.5)
    for side in (-1, 1):
        wing = spline([(CENTRE + side * (w - 2), y - 11), (CENTRE + side * (w + 2), y - 4), (CENTRE + side * (w - 2), y + 2), (CENTRE + side * (w - 7), y + 1)])
        pad.stroke(wing, skin.deep, 1.6, alpha=0.5 if side < 0 else 0.75, blur=0.9)
        nostril = spline([(CENTRE + side * 4, y + 1.5), (CENTRE + side * 8, y - 0.8), (CENTRE + side * (w - 4.5), y + 1), (CENTRE + side * 8.5, y + 2.8)], closed=True)
        pad.fill(nostril, skin.deep, alpha=0.95, blur=0.8)
        pad.fill(nostril, "#3a1712", alpha=0.6, blur=0.7)
    pad.fill(ellipse(CENTRE - 2, y - 9, 8, 6.5), skin.light, alpha=0.75, blur=3.6)
    pad.fill(ellipse(CENTRE - 3.5, y - 11.5, 2.6, 2.0), "#ffffff", alpha=0.5, blur=1.4)
    tip = spline([(CENTRE - 6, y + 2), (CENTRE, y + 4.2), (CENTRE + 6, y + 2)])
    pad.stroke(tip, skin.deep, 1.3, alpha=0.45, blur=0.8)


def draw_stubble(pad, person, jaw):
    """A short beard: a soft shade over jaw, chin and upper lip."""
    if not person.stubble:
        return
    drop = lambda y: float(jaw_shift(person, y, jaw))
    ear, mouth = person.ear_y, person.mouth_y
    wide = lambda y, k=1.0: face_width_at(person, y) * k + 6
    outer = [(wide(ear), ear - 6), (wide(mouth - 20), mouth - 20), (wide(mouth + 20), mouth + 20), (60, person.chin_y + 12), (0, person.chin_y + 14)]
    inner = [(0, mouth + 30), (26, mouth + 25), (38, mouth + 6), (44, mouth - 14), (62, mouth - 26), (wide(ear, 0.9), ear + 4)]
    half = [(dx, y + drop(y)) for dx, y in outer + inner]
    for side in (-1, 1):
        pad.fill(spline([(CENTRE + side * dx, y) for dx, y in half], closed=True), person.stubble_tone, alpha=person.stubble, blur=6)
    goatee = [(0, mouth + 21), (12, mouth + 20), (28, mouth + 16), (34, mouth + 24), (30, person.chin_y + 6), (0, person.chin_y + 6)]
    pad.fill(spline(mirrored([(dx, y + drop(y)) for dx, y in goatee], CENTRE), closed=True), person.stubble_tone, alpha=person.stubble * 0.8, blur=4)
    moustache = [(0, mouth - 17), (18, mouth - 16), (33, mouth - 6), (38, mouth + 8), (33, mouth + 10), (26, mouth - 6), (0, mouth - 12)]
    pad.fill(spline(mirrored(moustache, CENTRE), closed=True), person.stubble_tone, alpha=person.stubble * 0.9, blur=2.4)


def draw_brows(pad, person):
    rng = np.random.default_rng(7)
    for side in (-1, 1):
        inner, outer = person.eye_dx - 21, person.eye_dx + 27
        spine = [(inner, person.brow_y + 2), (inner + 16, person.brow_y - 2 - person.brow_arch * 0.4), (outer - 17, person.brow_y - 3 - person.brow_arch), (outer, person.brow_y + 4)]
        weight = person.brow_weight
        upper = [(dx, y - weight * t) for (dx, y), t in zip(spine, (0.45, 0.5, 0.4, 0.0))]
        lower = [(dx, y + weight * t) for (dx, y), t in zip(spine, (0.5, 0.5, 0.3, 0.0))]
        shape = spline([(CENTRE + side * dx, y) for dx, y in upper + lower[::-1]], closed=True)
        pad.fill(shape, person.brow, alpha=0.55, blur=1.3)
        pad.fill(shape, person.brow, alpha=0.45, blur=0.5)
        # Single hairs, laid outwards.
        for _ in range(95):
            t = rng.random() ** 0.9
            s = t * (len(spine) - 1)
            k = min(int(s), len(spine) - 2)
            f = s - k
            x = spine[k][0] * (1 - f) + spine[k + 1][0] * f
            y = spine[k][1] * (1 - f) + spine[k + 1][1] * f
            half = weight * 0.5 * (1 - t) ** 0.45
            y += rng.uniform(-half, half)
            lean = math.radians(-62 + 66 * t + rng.normal(0, 6))
            length = rng.uniform(5, 8.5) * (1 - 0.3 * t)
            hair = spline([(CENTRE + side * x, y), (CENTRE + side * (x + math.cos(lean) * length), y + math.sin(lean) * length * 0.8)])
            pad.stroke(hair, person.brow, rng.uniform(0.5, 1.0), alpha=0.55)
