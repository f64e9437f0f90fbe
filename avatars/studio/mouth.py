"""The mouth of a person in any state, and where its features lie."""

from dataclasses import dataclass

import numpy as np
import skia

from .pad import ellipse, linear, mix, radial, spline
from .person import CENTRE

# How far the lips are apart in the middle when the mouth is fully open, in units.
OPENING = 35.0
# Points along a lip, corner to corner.
LIP_POINTS = 17


@dataclass
class Lips:
    """Curves from the left to the right corner, [LIP_POINTS, 2] each, in stage units."""

    top: np.ndarray  # upper edge of the upper lip
    upper: np.ndarray  # lower edge of the upper lip
    lower: np.ndarray  # upper edge of the lower lip
    bottom: np.ndarray  # lower edge of the lower lip
    apart: float  # distance of the lips in the middle


def lips(person, state):
    """Where the lips are for a state of the mouth."""
    wide, round_ = max(state.wide, 0.0), max(-state.wide, 0.0)
    gap = state.gap
    half = person.mouth_width / 2 * (1 + 0.17 * wide - 0.36 * round_ - 0.07 * gap * (1 - wide) + 0.05 * state.press)
    apart = OPENING * gap * (1 - 0.22 * wide - 0.12 * round_)
    apart = max(apart, 4.6 * state.bite, 6.5 * state.tongue)
    raise_ = apart * 0.2 + 2.0 * wide * min(gap * 3, 1) + 1.4 * state.bite
    drop = apart - raise_

    thick = (1 - 0.16 * gap - 0.14 * wide + 0.16 * round_) * (1 - 0.42 * state.press)
    upper_lip, lower_lip = person.upper_lip * thick, person.lower_lip * thick
    lower_lip *= 1 - 0.34 * state.bite
    lift = -2.4 * (1 - round_) - 1.6 * wide + 1.2 * round_ * (1 - gap)

    t = np.linspace(-1, 1, LIP_POINTS)
    x = CENTRE + half * np.sign(t) * np.abs(t) ** 0.92
    corner_y = person.mouth_y + lift * 0.8 + drop * 0.30
    # Arcs: flatter for a spread mouth, rounder for a round one.
    power = 2.0 + 0.9 * wide + 0.5 * round_
    arc = (1 - np.abs(t) ** power) ** (0.62 if round_ > 0.3 else 0.8)
    seam = 1.1 * np.cos(t * 2.2 * np.pi) * (1 - np.abs(t) ** 2) * (1 - min(gap * 4, 1)) * (1 - round_)
    line = person.mouth_y + (corner_y - person.mouth_y) * np.abs(t) ** 2 + seam
    upper = line - raise_ * arc
    lower = line + drop * arc
    bow = 1 - 0.30 * np.exp(-((t / 0.13) ** 2)) * (1 - 0.5 * round_)
    crest = (1 - np.abs(t) ** 1.7) ** 0.85 * bow
    top = upper - upper_lip * crest - 0.01
    bottom = lower + lower_lip * (1 - np.abs(t) ** 2.3) ** 0.75 + 0.01
    if state.bite:
        lower = lower - 1.6 * state.bite * arc
    curve = lambda y: np.stack([x, y], axis=1)
    return Lips(curve(top), curve(upper), curve(lower), curve(bottom), float(apart))


def outline(one, other):
    return spline(list(one) + list(other[::-1][1:-1]), closed=True)


def draw_mouth(pad, person, state):
    """Lips, and what shows between them, over skin that is there already."""
    skin, shape = person.skin, lips(person, state)
    left, right = shape.upper[0], shape.upper[-1]
    mid_lower, mid_upper = shape.lower[LIP_POINTS // 2], shape.upper[LIP_POINTS // 2]
    middle_bottom, middle_top = shape.bottom[LIP_POINTS // 2], shape.top[LIP_POINTS // 2]

    # Skin around: shadow in the corners, the groove above, light along the edge of the upper lip.
    for corner, side in ((left, -1), (right, 1)):
        pad.fill(ellipse(corner[0] + side * 2.5, corner[1] + 1, 5, 4.5), skin.deep, alpha=0.5, blur=3)
    pad.fill(ellipse(CENTRE, middle_bottom[1] + 4.5, person.mouth_width * 0.27, 3.2), skin.deep, alpha=0.5, blur=3.2)
    groove = spline([(CENTRE + 1, person.nose_y + 8), (CENTRE + 1, middle_top[1] - 2)])
    pad.stroke(groove, skin.shade, 5, alpha=0.42, blur=2.8)
    for side in (-1, 1):
        ridge = spline([(CENTRE + side * 5.5, person.nose_y + 9), (CENTRE + side * 6, middle_top[1] - 2.5)])
        pad.stroke(ridge, skin.light, 2.4, alpha=0.35, blur=1.6)

    whole = outline(shape.top, shape.bottom)
    pad.fill(whole, skin.lip_dark, alpha=0.55 * person.lip_tint, blur=1.3)
    if shape.apart > 0.6:
        draw_inside(pad, person, state, shape)
    draw_upper_lip(pad, person, shape)
    draw_lower_lip(pad, person, shape, state)
    # Where the lips meet.
    closed = max(0.0, 1 - shape.apart / 3)
    if closed > 0:
        seam = spline(list((shape.upper + shape.lower) / 2))
        pad.stroke(seam, mix(skin.lip_dark, "#2a0b0b", 0.55), 1.5 + 0.5 * state.press, alpha=0.85 * closed, blur=0.5)
    for corner, side in ((left, -1), (right, 1)):
        pad.fill(ellipse(corner[0] - side * 1.0, corner[1], 2.4, 1.5), mix(skin.lip_dark, "#2a0b0b", 0.5), alpha=0.75, blur=0.9)


def draw_upper_lip(pad, person, shape):
    skin = person.skin
    path = outline(shape.top, shape.upper)
    middle_top, middle = shape.top[LIP_POINTS // 2][1], shape.upper[LIP_POINTS // 2][1]
    tone, dark = mix(skin.base, skin.lip, 0.35 + 0.65 * person.lip_tint), mix(skin.shade, skin.lip_dark, 0.3 + 0.7 * person.lip_tint)
    pad.fill(path, linear((0, middle_top - 1), (0, middle + 1), [(0, tone, 1), (0.55, mix(tone, dark, 0.45), 1), (1, dark, 1)]), blur=0.45)
    with pad.inside(path):
        pad.fill(ellipse(CENTRE - 9, middle_top + 2.6, 9, 1.8), mix(tone, "#ffffff", 0.5), alpha=0.4, blur=1.3)
        pad.fill(ellipse(shape.top[-3][0], shape.top[-3][1] + 3, 12, 6), dark, alpha=0.4, blur=3)
    edge = spline(list(shape.top))
    pad.stroke(edge, skin.light, 1.1, alpha=0.38, blur=0.9)


def draw_lower_lip(pad, person, shape, state):
    skin = person.skin
    path = outline(shape.lower, shape.bottom)
    top, bottom = shape.lower[LIP_POINTS // 2][1], shape.bottom[LIP_POINTS // 2][1]
    tone, dark = mix(skin.base, skin.lip, 0.35 + 0.65 * person.lip_tint), mix(skin.shade, skin.lip_dark, 0.3 + 0.7 * person.lip_tint)
    light = mix(tone, skin.light, 0.42)
    pad.fill(path, linear((0, top - 0.5), (0, bottom + 0.5), [(0, mix(tone, dark, 0.5), 1), (0.3, light, 1), (0.62, tone, 1), (1, dark, 1)]), blur=0.45)
    with pad.inside(path):
        depth = bottom - top
        half = (shape.lower[-1][0] - shape.lower[0][0]) / 2
        pad.fill(ellipse(CENTRE - half * 0.16, top + depth * 0.36, half * 0.34, depth * 0.13 + 0.3), "#ffffff", alpha=0.42 * (1 - 0.6 * state.press), blur=1.3)
        pad.fill(ellipse(CENTRE + half * 0.30, top + depth * 0.38, half * 0.13, depth * 0.10 + 0.2), "#ffffff", alpha=0.2, blur=1.0)
        pad.fill(ellipse(shape.lower[-3][0] + 2, shape.lower[-3][1] + 4, 9, 7), dark, alpha=0.5, blur=3)
        for k in range(-5, 6):
            x = CENTRE + half * 0.13 * k
            pad.stroke(spline([(x, top + 0.5), (x + k * 0.25, bottom - 1)]), dark, 0.5, alpha=0.16)


def draw_inside(pad, person, state, shape):
    """The mouth's cavity with teeth and tongue; the teeth keep their size whatever the lips do."""
    cavity = outline(shape.upper, shape.lower)
    top, bottom = shape.upper[LIP_POINTS // 2][1], shape.lower[LIP_POINTS // 2][1]
    half = (shape.upper[-1][0] - shape.upper[0][0]) / 2
    pad.fill(cavity, linear((0, top), (0, bottom + 2), [(0, "#2b0a0d", 1), (0.6, "#4a1418", 1), (1, "#5d1c20", 1)]), blur=0.35)
    round_ = max(-state.wide, 0.0)
    with pad.inside(cavity):
        draw_tongue(pad, person, state, top, bottom, half)
        draw_lower_teeth(pad, person, state, bottom, half)
        draw_upper_teeth(pad, person, state, half, round_)
        # The lips throw their shadow on what lies behind them.
        pad.stroke(spline(list(shape.upper)), "#1c0507", 5.0, alpha=0.62, blur=2.0)
        pad.stroke(spline(list(shape.lower)), "#2a0a0c", 2.2, alpha=0.4, blur=1.0)
        for corner in (shape.upper[0], shape.upper[-1]):
            pad.fill(ellipse(corner[0], corner[1], half * 0.34, 9), "#1c0507", alpha=0.72, blur=4)


def teeth_row(x, y, half, height, curve, count):
    """The edge of a row of teeth as a path hanging from `y`; `height` below 0 stands instead."""
    path = skia.Path()
    widths = [1.0 if abs(k - (count - 1) / 2) < 1 else 0.82 for k in range(count)]
    total = sum(widths)
    left = x - half
    path.moveTo(left, y)
    for k, width in enumerate(widths):
        right = left + 2 * half * width / total
        place = lambda px: y + height + curve * ((px - x) / half) ** 2
        inset = (right - left) * 0.16
        path.lineTo(left, place(left) - height * 0.10)
        path.quadTo(left + inset * 0.3, place(left + inset), left + inset, place(left + inset))
        path.lineTo(right - inset, place(right - inset))
        path.quadTo(right - inset * 0.3, place(right - inset), right, place(right) - height * 0.10)
        left = right
    path.lineTo(x + half, y)
    path.close()
    return path


def draw_upper_teeth(pad, person, state, half, round_):
    # Fixed to the skull: the edge stays put while the lips move over it.
    reach = min(person.mouth_width * 0.40, half * 0.9)
    top = person.mouth_y - 12
    height = 12.2 + 1.6 * state.bite
    row = teeth_row(CENTRE, top, reach, height, -3.6, 8)
    pad.fill(row, radial(CENTRE - 4, top + 10, reach * 1.05, [(0, "#fbf7ef", 1), (0.6, "#efe5d8", 1), (1, "#a48c80", 1)]), alpha=1 - 0.35 * round_)
    with pad.inside(row):
        pad.everywhere(linear((0, top), (0, top + height), [(0, "#8d6a62", 0.55), (0.7, "#ffffff", 0.0), (1, "#cdbcae", 0.35)]))
        left = CENTRE - reach
        widths = [1.0 if abs(k - 3.5) < 1 else 0.82 for k in range(8)]
        for width in widths[:-1]:
            left += 2 * reach * width / sum(widths)
            pad.stroke(spline([(left, top), (left, top + height)]), "#b09a8c", 0.6, alpha=0.5, blur=0.3)


def draw_lower_teeth(pad, person, state, bottom, half):
    # Fixed to the jaw, just behind the lower lip.
    rise = 4.2 * (0.4 + 0.6 * max(state.wide, 0.0)) * min(state.gap * 2.2, 1.0)
    if rise < 0.8:
        return
    reach = min(person.mouth_width * 0.31, half * 0.72)
    row = teeth_row(CENTRE, bottom + 3, reach, -rise - 3, 2.6, 8)
    pad.fill(row, radial(CENTRE, bottom, reach * 1.1, [(0, "#e6dacb", 1), (0.6, "#cdbcad", 1), (1, "#7d655c", 1)]), alpha=0.92)
    with pad.inside(row):
        for k in range(-3, 4):
            x = CENTRE + reach * 0.25 * k
            pad.stroke(spline([(x, bottom - rise), (x, bottom + 3)]), "#8f7a6c", 0.5, alpha=0.5, blur=0.3)


def draw_tongue(pad, person, state, top, bottom, half):
    rise = 0.30 + 0.10 * max(state.wide, 0.0)
    crest = bottom - (bottom - top) * rise
    tongue = spline([(CENTRE - half * 0.66, bottom + 12), (CENTRE - half * 0.5, crest + 3), (CENTRE, crest), (CENTRE + half * 0.5, crest + 3), (CENTRE + half * 0.66, bottom + 12)], closed=True)
    pad.fill(tongue, linear((0, crest - 1), (0, bottom + 4), [(0, "#a8484c", 1), (0.5, "#c4605f", 1), (1, "#94383c", 1)]), blur=0.9)
    with pad.inside(tongue):
        pad.stroke(spline([(CENTRE, crest), (CENTRE, bottom + 6)]), "#7c2c30", 2.2, alpha=0.5, blur=1.4)
        pad.fill(ellipse(CENTRE - half * 0.2, crest + 3, half * 0.22, 1.6), "#f2a9a2", alpha=0.5, blur=1.4)
    if state.tongue:
        # The tip lifts to the edge of the upper teeth.
        y = person.mouth_y + 0.6
        tip = spline([(CENTRE - half * 0.5, bottom + 8), (CENTRE - half * 0.4, y + 3), (CENTRE, y), (CENTRE + half * 0.4, y + 3), (CENTRE + half * 0.5, bottom + 8)], closed=True)
        pad.fill(tip, linear((0, y - 1), (0, bottom + 3), [(0, "#d27873", 1), (1, "#a84a4c", 1)]), alpha=state.tongue, blur=0.7)
        pad.fill(ellipse(CENTRE - 3, y + 2.4, 8, 1.2), "#f7c0b8", alpha=0.6 * state.tongue, blur=0.9)
