"""Ada: the default avatar."""

import math

import numpy as np

from .head import face_path, shifted
from .hair import lock, strands
from .pad import ellipse, linear, mirrored, mix, radial, spline
from .person import CENTRE, Person, Skin

PERSON = Person(
    name="ada",
    skin=Skin(light="#ffe3cb", base="#efbf9d", shade="#cf8f6f", deep="#9c573f", blush="#e77d6d", lip="#c7545a", lip_dark="#86303a", rim="#bfe3ee"),
    outline=((0, 104), (36, 108), (62, 130), (76, 165), (80, 205), (79, 238), (75, 270), (66, 300), (50, 327), (31, 345), (13, 353.5), (0, 355)),
    eye_y=236, eye_dx=36.5, eye_width=43, eye_height=20,
    iris=("#2f2a18", "#7d7a3e", "#c9a253"), iris_radius=11.0,
    lash="#1d110d", lash_width=3.2,
    brow="#4a2a1c", brow_y=206.5, brow_weight=5.6, brow_arch=3.2,
    nose_y=284, nose_width=16,
    mouth_y=313, mouth_width=60, upper_lip=8.2, lower_lip=11.0, lip_tint=0.95,
    ear_y=250, ear_height=0, neck_width=38, collar_y=424,
)

HAIR_DARK, HAIR, HAIR_LIGHT, HAIR_SHINE = "#2a130d", "#5a2d1c", "#94532f", "#d99a63"


def draw_background(pad):
    pad.everywhere(linear((0, 0), (0, 512), [(0, "#3f7480", 1), (0.55, "#2b5563", 1), (1, "#173340", 1)]))
    pad.everywhere(radial(226, 190, 330, [(0, "#9fd0cb", 0.75), (0.45, "#5c98a0", 0.4), (1, "#2b5563", 0.0)]))
    for x, y, r, a in ((60, 110, 46, 0.10), (440, 90, 60, 0.09), (475, 250, 34, 0.08), (28, 300, 52, 0.07), (-90, 150, 70, 0.08), (600, 170, 64, 0.08), (-150, 320, 44, 0.06), (660, 330, 50, 0.06)):
        pad.fill(ellipse(x, y, r, r), "#e6fff8", alpha=a, blur=9)
    pad.everywhere(radial(256, 230, 520, [(0, "#000000", 0.0), (0.6, "#041016", 0.0), (1, "#041016", 0.45)]))


def draw_torso(pad):
    for side in (-1, 1):
        panel = spline([(CENTRE + side * dx, y) for dx, y in ((44, 430), (62, 424), (100, 438), (150, 456), (186, 482), (204, 520), (210, 548), (100, 560), (0, 560), (4, 530))], closed=True, tension=0.4)
        if side < 0:
            draw_blouse(pad)
        pad.fill(panel, "#1f4c54")
        with pad.inside(panel):
            pad.everywhere(linear((70, 430), (440, 530), [(0, "#5a9a9c", 0.8), (0.4, "#26575e", 0.1), (1, "#0b242b", 0.9)]))
            sleeve = spline([(CENTRE + side * 126, 450), (CENTRE + side * 138, 484), (CENTRE + side * 134, 540)])
            pad.stroke(sleeve, "#07191e", 5, alpha=0.55, blur=4)
            fold = spline([(CENTRE + side * 76, 452), (CENTRE + side * 102, 490), (CENTRE + side * 94, 540)])
            pad.stroke(fold, "#07191e", 9, alpha=0.3, blur=8)
            ridge = spline([(CENTRE + side * 62, 425), (CENTRE + side * 100, 439), (CENTRE + side * 150, 457), (CENTRE + side * 188, 485)])
            pad.stroke(ridge, "#a9dcd6" if side < 0 else "#7fb9bd", 2.6, alpha=0.55, blur=1.8)
        lapel = spline([(CENTRE + side * dx, y) for dx, y in ((45, 424), (64, 430), (84, 472), (62, 482), (70, 496), (20, 560), (2, 548), (34, 480))], closed=True, tension=0.2)
        pad.fill(shifted(lapel, 3, 4), "#04141a", alpha=0.6, blur=5)
        lit, dim = ("#438489", "#25585f") if side < 0 else ("#205058", "#12323a")
        pad.fill(lapel, linear((CENTRE + side * 20, 430), (CENTRE + side * 80, 500), [(0, lit, 1), (1, dim, 1)]))
        pad.stroke(lapel, "#8cc7c6" if side < 0 else "#3f7c82", 0.9, alpha=0.5)


def draw_blouse(pad):
    neckline = [(CENTRE - 52, 428), (CENTRE - 36, 456), (CENTRE - 14, 478), (CENTRE, 483), (CENTRE + 14, 478), (CENTRE + 36, 456), (CENTRE + 52, 428)]
    blouse = spline(neckline + [(CENTRE + 74, 470), (CENTRE + 60, 560), (CENTRE - 60, 560), (CENTRE - 74, 470)], closed=True, tension=0.4)
    pad.fill(shifted(blouse, 0, -3), "#5e2f20", alpha=0.4, blur=4)
    pad.fill(blouse, "#f2e7da")
    with pad.inside(blouse):
        pad.everywhere(linear((200, 0), (312, 0), [(0, "#ffffff", 0.5), (0.5, "#f2e7da", 0.0), (1, "#a58f80", 0.65)]))
        pad.stroke(spline(neckline, tension=0.4), "#b79f8d", 2.4, alpha=0.8, blur=1.2)


def draw_hair_back(pad):
    shape = spline(mirrored([(0, 57), (48, 60), (92, 94), (110, 170), (112, 260), (117, 340), (106, 398), (76, 426), (46, 430), (0, 400)], CENTRE), closed=True)
    pad.fill(shape, HAIR_DARK)
    with pad.inside(shape):
        pad.everywhere(linear((150, 100), (370, 380), [(0, HAIR, 0.9), (0.5, HAIR_DARK, 0.4), (1, "#170806", 0.9)]))
        for side in (-1, 1):
            outer = [(CENTRE + side * dx, y) for dx, y in ((60, 90), (104, 150), (108, 250), (114, 330), (100, 400), (66, 428))]
            inner = [(CENTRE + side * dx, y) for dx, y in ((30, 100), (70, 170), (74, 260), (70, 330), (62, 380), (48, 424))]
            strands(pad, outer, inner, 70, (HAIR_DARK, HAIR, HAIR_LIGHT if side < 0 else HAIR), 2.2, 0.5, seed=3 + side)
        pad.fill(ellipse(CENTRE, 380, 64, 70), "#120604", alpha=0.6, blur=16)


def draw_face_extras(pad):
    """The shadow of the hair on forehead and cheeks."""
    skin = PERSON.skin
    shade = spline([(180, 230), (186, 180), (214, 146), (258, 128), (300, 150), (326, 186), (334, 240), (350, 200), (330, 110), (256, 80), (176, 120), (166, 220)], closed=True)
    with pad.inside(face_path(PERSON)):
        pad.fill(shade, skin.deep, alpha=0.5, blur=7)


def draw_hair_front(pad):
    # A side parting left of the centre: one sweep to each side, over the temples and down.
    crown, root = (236, 62), (233, 118)
    right_outer = [crown, (282, 56), (330, 76), (360, 132), (368, 200), (372, 280), (374, 345), (362, 398), (330, 426)]
    right_inner = [root, (268, 124), (302, 146), (326, 184), (335, 232), (336, 290), (332, 345), (322, 388), (306, 414)]
    left_outer = [crown, (196, 62), (162, 88), (146, 140), (142, 205), (138, 285), (136, 345), (149, 398), (182, 426)]
    left_inner = [root, (214, 126), (194, 148), (181, 184), (176, 232), (175, 290), (179, 345), (190, 388), (206, 414)]
    for outer, inner, tone, seed in ((left_outer, left_inner, HAIR, 21), (right_outer, right_inner, mix(HAIR, HAIR_DARK, 0.3), 22)):
        shape = lock(outer, inner)
        pad.fill(shape, "#120504", alpha=0.35, blur=6)
        pad.fill(shape, tone)
        with pad.inside(shape):
            tones = (HAIR_DARK, HAIR, HAIR_LIGHT, HAIR) if seed == 21 else (HAIR_DARK, HAIR, HAIR_DARK, mix(HAIR, HAIR_LIGHT, 0.5))
            strands(pad, outer, inner, 110, tones, 2.4, 0.55, seed=seed)
            # The band of shine where the hair turns over the head.
            strands(pad, outer, inner, 46, (HAIR_SHINE,), 1.6, 0.35 if seed == 21 else 0.2, seed=seed + 10, span=(0.14, 0.34))
            strands(pad, outer, inner, 30, (HAIR_SHINE,), 1.4, 0.22 if seed == 21 else 0.12, seed=seed + 20, span=(0.6, 0.82))
        strands(pad, outer, inner, 26, (HAIR, HAIR_DARK), 1.0, 0.6, seed=seed + 30, spill=4.0)
    # The parting: a soft line of shade with a few roots over it.
    line = spline([crown, (crown[0] - 2, (crown[1] + root[1]) / 2), root])
    pad.stroke(line, "#1a0a06", 2.2, alpha=0.55, blur=1.4)
    pad.stroke(shifted(line, -1.6, 0), HAIR_LIGHT, 1.2, alpha=0.35, blur=1.0)
