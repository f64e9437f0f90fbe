"""Eyeballs, irises and lids of a person."""

import math

import numpy as np

from .pad import ellipse, linear, mix, radial, spline
from .person import CENTRE


def lid_curves(person, side, closure):
    """Upper and lower edge of the opening as points from the inner to the outer corner.

    `closure` is 0 for open, 1 for closed, a little below 0 for wide open.
    """
    x = CENTRE + side * person.eye_dx
    half = person.eye_width / 2
    inner, outer = (-half, 2.6), (half, -1.8)
    places = np.linspace(0, 1, 13)
    upper, lower = [], []
    for t in places:
        dx = inner[0] + (outer[0] - inner[0]) * t
        base = inner[1] + (outer[1] - inner[1]) * t
        bow = math.sin(math.pi * t ** 0.92)
        up = -person.eye_height * 0.60 * bow ** 0.8
        down = person.eye_height * 0.40 * math.sin(math.pi * t ** 1.12) ** 0.85
        shut = person.eye_height * 0.30 * math.sin(math.pi * t)
        upper.append((x + side * dx, person.eye_y + base + up + (shut - up) * closure))
        lower.append((x + side * dx, person.eye_y + base + down + (shut - down) * max(closure, 0.0)))
    return upper, lower


def opening(person, side, closure):
    upper, lower = lid_curves(person, side, closure)
    return spline(upper + lower[-2:0:-1], closed=True)


def draw_ball(pad, person, side):
    """The white of the eye, larger than any opening."""
    x, y = CENTRE + side * person.eye_dx, person.eye_y
    reach = person.eye_width / 2 + 4
    pad.fill(ellipse(x, y + 1, reach, person.eye_height * 0.9), radial(x - 3, y + 2, reach, [(0, "#fbf8f4", 1), (0.55, "#efe8e2", 1), (1, "#b9a59c", 1)]))
    inner = x - side * (person.eye_width / 2 - 3)
    pad.fill(ellipse(inner, y + 3, 5, 4), "#d98f86", alpha=0.75, blur=1.6)


def draw_iris(pad, person, side):
    x, y, r = CENTRE + side * person.eye_dx - side * 0.8, person.eye_y - 0.8, person.iris_radius
    rim, ring, heart = person.iris
    rng = np.random.default_rng(11)
    pad.fill(ellipse(x, y, r + 0.6, r + 0.6), rim, alpha=0.55, blur=0.9)
    disc = ellipse(x, y, r, r)
    pad.fill(disc, radial(x, y, r, [(0, heart, 1), (0.52, ring, 1), (0.82, mix(ring, rim, 0.45), 1), (1, rim, 1)]))
    with pad.inside(disc):
        for _ in range(70):
            angle = rng.uniform(0, 2 * math.pi)
            start, end = r * rng.uniform(0.38, 0.5), r * rng.uniform(0.7, 0.95)
            ray = spline([(x + math.cos(angle) * start, y + math.sin(angle) * start), (x + math.cos(angle) * end, y + math.sin(angle) * end)])
            tone = mix(ring, "#ffffff" if rng.random() < 0.55 else rim, 0.55)
            pad.stroke(ray, tone, rng.uniform(0.3, 0.8), alpha=0.35)
        pad.fill(ellipse(x, y + r * 0.62, r * 0.75, r * 0.42), "#ffffff", alpha=0.24, blur=1.8)
        pad.fill(ellipse(x, y - r * 0.85, r * 1.2, r * 0.62), "#0d0805", alpha=0.5, blur=2.0)
    pad.fill(ellipse(x, y, r * 0.42, r * 0.42), "#0b0706", blur=0.4)


def draw_lids(pad, person, side, closure):
    """Lids, lashes and catchlight over skin that is there already; cuts the opening free."""
    skin = person.skin
    x, y = CENTRE + side * person.eye_dx, person.eye_y
    upper, lower = lid_curves(person, side, closure)
    hole = opening(person, side, closure)
    shut = min(max(closure, 0.0), 1.0)

    # The upper lid between its crease and its edge; it comes down over the ball.
    open_upper, _ = lid_curves(person, side, 0.0)
    crease = [(px, py - 6.2 + 2.4 * shut - (2.0 if closure < 0 else 0)) for px, py in open_upper[1:-1]]
    lid = spline([upper[0]] + crease + [upper[-1]] + upper[-2:0:-1], closed=True)
    pad.fill(lid, linear((x, y - 18), (x, y + 8), [(0, skin.shade, 0.5), (0.55, skin.base, 0.95), (1, skin.shade, 0.85)]), alpha=0.9, blur=0.8)
    if shut > 0.25:
        pad.fill(ellipse(x - 2, y - 3 + 3 * shut, person.eye_width * 0.3, 4.2), skin.light, alpha=0.4 * shut, blur=3)
    crease_line = spline([(px, py) for px, py in crease])
    pad.stroke(crease_line, skin.deep, 1.5, alpha=0.62, blur=0.9)
    pad.stroke(crease_line, mix(skin.deep, "#2a120c", 0.5), 0.8, alpha=0.4, blur=0.5)

    if shut < 0.97:
        pad.erase(hole)
        with pad.inside(hole):
            # The lid's shadow on the ball, and what it reflects.
            pad.stroke(spline(upper), "#3b221c", 7.0, alpha=0.55 * (1 - shut * 0.5), blur=2.4)
            pad.stroke(spline(lower), "#c98f86", 2.2, alpha=0.5, blur=0.9)
            if shut < 0.6:
                glint = ellipse(CENTRE + side * person.eye_dx - 4.2, y - 5.0, 2.7, 2.9)
                pad.fill(glint, "#ffffff", alpha=0.96 * (1 - shut), blur=0.45)
                pad.fill(ellipse(CENTRE + side * person.eye_dx + 4.0, y + 3.6, 1.7, 1.3), "#ffffff", alpha=0.45 * (1 - shut), blur=0.6)
    draw_lash_line(pad, person, side, upper, shut)
    pad.stroke(spline(lower[1:]), person.lash, 0.8, alpha=0.42, blur=0.5)


def draw_lash_line(pad, person, side, upper, shut):
    """The line of the upper lashes: thin at the inner corner, longer than the eye at the outer one."""
    weight = person.lash_width
    last, before = np.array(upper[-1]), np.array(upper[-2])
    wing = last + (last - before) / np.linalg.norm(last - before) * weight * 1.1 + np.array([0, -0.6 * weight * (1 - shut)])
    top = [(px, py - weight * (0.12 + 0.6 * t)) for (px, py), t in zip(upper, np.linspace(0, 1, len(upper)))]
    bottom = [(px, py + weight * (0.10 + 0.22 * t)) for (px, py), t in zip(upper, np.linspace(0, 1, len(upper)))]
    shape = spline(top + [tuple(wing)] + bottom[::-1], closed=True)
    pad.fill(shape, person.lash, alpha=0.95, blur=0.35)
