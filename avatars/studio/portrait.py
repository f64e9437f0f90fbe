"""Turns a drawn person into a bundle: layers, lattices, and banks of mouths and lids."""

import numpy as np
import skia

from . import eyes, head, motion, mouth
from .bundle import Bundle, to_bytes
from .pad import Pad, ellipse
from .person import CENTRE, MouthState, REST

STAGE = 512
# The background reaches this far beyond both sides of the stage, for wide pictures.
WING = 200

# The mouth bank: openings by widths, and three shapes of their own.
GAPS = (0.0, 0.14, 0.42, 1.0)
WIDTHS = (-1.0, 0.0, 1.0)
EXTRAS = {"pressed": MouthState(press=1), "bite": MouthState(bite=1), "tongue": MouthState(tongue=1, gap=0.12)}
MOUTH_SIZE = (136, 76)

# The lid bank: a little wider than open, open, half closed, closed.
CLOSURES = (-0.3, 0.0, 0.5, 1.0)
LIDS_SIZE = (72, 44)

# Mouths pass over into the face around them over about this many pixels.
FEATHER = 7.0


def even(value):
    """The nearest even place: windows then start on whole chroma samples."""
    return 2 * round(value / 2)


def stage_picture(draw):
    pad = Pad(0, 0, STAGE, STAGE)
    draw(pad)
    return pad.picture()


def over(top, bottom):
    """Straight-alpha composition."""
    alpha = top[..., 3:] + bottom[..., 3:] * (1 - top[..., 3:])
    premultiplied = top[..., :3] * top[..., 3:] + bottom[..., :3] * bottom[..., 3:] * (1 - top[..., 3:])
    return np.concatenate([premultiplied / np.maximum(alpha, 1e-6), alpha], axis=2)


class Portrait:
    """One person and the module that draws what is theirs alone: background, clothes, hair."""

    def __init__(self, module):
        self.module = module
        self.person = module.PERSON
        self.bundle = Bundle()

    def draw_skin(self, pad, jaw=0.0):
        """Everything of the head that lies below eyes and mouth."""
        if self.person.ear_height:
            for side in (-1, 1):
                head.draw_ear(pad, self.person, side)
        head.draw_face(pad, self.person, jaw)
        self.module.draw_face_extras(pad)
        head.draw_brows(pad, self.person)

    def build(self, path):
        module, person = self.module, self.person
        behind = Pad(-WING, 0, STAGE + 2 * WING, STAGE)
        module.draw_background(behind)
        background = to_bytes(behind.picture()[..., :3])

        torso = stage_picture(module.draw_torso)
        neck = stage_picture(lambda pad: head.draw_neck(pad, person))
        hair_back = stage_picture(module.draw_hair_back)
        skin = stage_picture(self.draw_skin)
        hair_front = stage_picture(module.draw_hair_front)

        # The moving neck and hair end at the collar; a still neck takes over below, where nothing moves any more.
        free = 1 - torso[..., 3:]
        height = np.arange(STAGE)[:, None, None]
        rise = motion.smooth(person.collar_y - 28, person.collar_y - 6, height)
        still_neck = np.concatenate([neck[..., :3], neck[..., 3:] * rise], axis=2)
        hair_back[..., 3:] *= free
        neck[..., 3:] *= free * (1 - motion.smooth(person.collar_y - 4, person.collar_y + 8, height))
        self.skin = over(skin, over(neck, hair_back))

        layers = [{"part": "background", **self.bundle.image("background.png", background, -WING, 0)}]
        for part, picture in (("torso", over(torso, still_neck)), ("hair_back", hair_back), ("head", over(skin, neck)), ("hair_front", hair_front)):
            if picture[..., 3].any():
                layers.append({"part": part, **self.bundle.image(f"{part}.png", to_bytes(picture), 0, 0)})

        names, fields = motion.lattice(person)
        manifest = {
            "name": person.name,
            "title": person.name.title(),
            "licence": "Apache-2.0",
            "width": STAGE,
            "height": STAGE,
            "seed": sum(person.name.encode()),
            "landmarks": self.landmarks(),
            "layers": layers,
            "lattice": {
                "at": [motion.LEFT, motion.TOP],
                "step": motion.STEP,
                "columns": motion.COLUMNS,
                "rows": motion.ROWS,
                "shapes": names,
                "numbers": self.bundle.numbers("lattice.i16", fields),
            },
            "eyes": [self.eye(side, hand) for side, hand in ((1, "left"), (-1, "right"))],
            "mouth": self.mouth(),
        }
        self.bundle.write(path, manifest)

    def landmarks(self):
        p = self.person
        return {
            "left_eye": [CENTRE + p.eye_dx, p.eye_y],
            "right_eye": [CENTRE - p.eye_dx, p.eye_y],
            "nose": [CENTRE, p.nose_y],
            "mouth": [CENTRE, p.mouth_y],
            "chin": [CENTRE, p.chin_y],
            "crown": [CENTRE, 64],
        }

    def mouth(self):
        width, height = MOUTH_SIZE
        left, top = even(CENTRE - width / 2), even(self.person.mouth_y - 31)
        box = (left, top, width, height)
        patches, meshes, grid = [], [], []
        for gap in GAPS:
            for wide in WIDTHS:
                grid.append(self.mouth_patch(f"mouth/{len(grid):02}.png", MouthState(gap=gap, wide=wide), gap, box, meshes))
        extras = {name: self.mouth_patch(f"mouth/{name}.png", state, state.gap, box, meshes) for name, state in EXTRAS.items()}
        columns = meshes[0].shape[1]
        return {
            "at": [left, top],
            "size": [width, height],
            "mask": self.bundle.patch("mouth/mask.png", self.mouth_mask(box)),
            "columns": columns,
            "rows": meshes[0].shape[0] - 1,
            "gaps": list(GAPS),
            "widths": list(WIDTHS),
            "grid": grid,
            **extras,
            "mesh": self.bundle.numbers("mouth/mesh.i16", np.stack(meshes)),
        }

    def mouth_patch(self, name, state, jaw, box, meshes):
        """Draws a mouth with its jaw open, and takes the jaw's motion out again: the lattice brings it back."""
        left, top, width, height = box

        def draw(pad):
            self.draw_skin(pad, jaw)
            mouth.draw_mouth(pad, self.person, state)

        moved = stage_picture(draw)[..., :3]
        x, y = np.meshgrid(np.arange(left, left + width), np.arange(top, top + height))
        there = y + motion.jaw_motion(self.person, x + 0.5, y + 0.5, jaw)
        low = np.floor(there).astype(int)
        share = (there - low)[..., None]
        rest = moved[low, x] * (1 - share) + moved[low + 1, x] * share

        meshes.append(self.mouth_mesh(state, jaw, box))
        return self.bundle.patch(name, to_bytes(rest))

    def mouth_mask(self, box):
        """How much of the face's own skin a mouth covers: all around the lips, nothing beyond nose and jaw."""
        left, top, width, height = box

        def draw(pad):
            face = head.face_path(self.person)
            around = ellipse(CENTRE, top + height * 0.47, width * 0.5 - 3, height * 0.5 - 3)
            pad.fill(skia.Op(face, around, skia.PathOp.kIntersect_PathOp), "#ffffff")
            for border in (face, around):
                pad.stroke(border, "#ffffff", FEATHER, blur=2.5, blend=skia.BlendMode.kDstOut)

        return to_bytes(stage_picture(draw)[top : top + height, left : left + width, 3:])

    def mouth_mesh(self, state, jaw, box):
        """First row: x of the columns. Then y by row: window top, four lip curves, window bottom."""
        left, top, width, height = box
        shape = mouth.lips(self.person, state)
        x = shape.top[:, 0] - left
        curves = [self.without_jaw(curve, jaw) - top for curve in (shape.top, shape.upper, shape.lower, shape.bottom)]
        line = self.person.mouth_y - top
        # Beyond the corners all four curves are one line, level at the window's edge.
        half_left, half_right = x[0] / 2, (x[-1] + width) / 2
        rows = [np.concatenate([[line, (line + c[0]) / 2], c, [(line + c[-1]) / 2, line]]) for c in curves]
        columns = np.concatenate([[0, half_left], x, [half_right, width]])
        flat = np.zeros_like(columns)
        return np.stack([columns, flat, *np.maximum.accumulate(rows), flat + height])

    def without_jaw(self, curve, jaw):
        """Heights of points before the jaw's motion took them where they are."""
        x, y = curve[:, 0], curve[:, 1]
        rest = y.copy()
        for _ in range(30):
            rest += 0.6 * (y - rest - motion.jaw_motion(self.person, x, rest, jaw))
        return rest

    def eye(self, side, hand):
        person = self.person
        width, height = LIDS_SIZE
        left, top = even(CENTRE + side * person.eye_dx - width / 2), even(person.eye_y - 23)
        ball = stage_picture(lambda pad: eyes.draw_ball(pad, person, side))
        iris = stage_picture(lambda pad: eyes.draw_iris(pad, person, side))
        meshes, images = [], []
        for closure in CLOSURES:
            def draw(pad, closure=closure):
                self.draw_skin(pad)
                eyes.draw_lids(pad, person, side, closure)

            picture = stage_picture(draw)[top : top + height, left : left + width]
            images.append(self.bundle.patch(f"eyes/{hand}_lids_{len(images)}.png", to_bytes(picture)))
            meshes.append(self.lids_mesh(side, closure, (left, top, width, height)))
        return {
            "side": hand,
            "ball": self.bundle.image(f"eyes/{hand}_ball.png", to_bytes(ball), 0, 0),
            "iris": self.bundle.image(f"eyes/{hand}_iris.png", to_bytes(iris), 0, 0),
            "travel": [6.5, 4.0],
            "lids": {
                "at": [left, top],
                "size": [width, height],
                "columns": meshes[0].shape[1],
                "rows": meshes[0].shape[0] - 1,
                "closures": list(CLOSURES),
                "images": images,
                "mesh": self.bundle.numbers(f"eyes/{hand}_mesh.i16", np.stack(meshes)),
            },
        }

    def lids_mesh(self, side, closure, box):
        """First row: x of the columns. Then y by row: window top, upper edge, lower edge, window bottom."""
        left, top, width, height = box
        upper, lower = (np.array(curve) for curve in eyes.lid_curves(self.person, side, closure))
        if side < 0:
            upper, lower = upper[::-1], lower[::-1]
        x = upper[:, 0] - left
        columns = np.concatenate([[0], x, [width]])
        rows = []
        for curve in (upper, lower):
            y = curve[:, 1] - top
            rows.append(np.concatenate([[y[0]], y, [y[-1]]]))
        flat = np.zeros_like(columns)
        return np.stack([columns, flat, *np.maximum.accumulate(rows), flat + height])
