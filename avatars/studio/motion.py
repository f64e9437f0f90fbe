"""How the skin moves: one displacement field for each blendshape and each axis of the head's pose."""

import numpy as np

from .head import jaw_shift
from .person import CENTRE

# Where the lattice lies, and how far its points are apart, in stage units.
LEFT, TOP, STEP, COLUMNS, ROWS = 96, 32, 12, 28, 36
# Axes of the head's pose are given for this much motion: radians, and pixels of the native picture.
AXIS_RADIANS, AXIS_PIXELS = 0.1, 10.0


def bump(x, y, centre_x, centre_y, reach_x, reach_y):
    return np.exp(-(((x - centre_x) / reach_x) ** 2) - ((y - centre_y) / reach_y) ** 2)


def smooth(low, high, value):
    share = np.clip((value - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def jaw_field(person, x, y):
    """Downward motion of the skin at rest position (x, y) when the jaw is fully open."""
    beside = 1 - smooth(48, 86, np.abs(x - CENTRE))
    below = 1 - smooth(person.chin_y + 4, person.collar_y - 6, y)
    return jaw_shift(person, y, 1.0) * beside * below


def depth(person, x, y):
    """How far in front of the axis of the neck the head's surface is, in units."""
    radius_x, radius_y = 112.0, 170.0
    round_ = 1 - ((x - CENTRE) / radius_x) ** 2 - ((y - (person.eye_y + 5)) / radius_y) ** 2
    nose = 26 * bump(x, y, CENTRE, person.nose_y - 8, 15, 22)
    chin = 8 * bump(x, y, CENTRE, person.chin_y - 14, 24, 16)
    return 92 * np.sqrt(np.clip(round_, 0, 1)) + nose + chin


def shapes(person):
    """Name to field; a field takes x and y and gives (dx, dy) at weight 1, in units."""
    p, fields = person, {}
    mouth, half = p.mouth_y, p.mouth_width / 2
    still = lambda x: np.zeros_like(x)

    def push(name, dx, dy, at_x, at_y, reach_x, reach_y):
        """A bump that pushes the skin by (dx, dy) around a place; adds to what is there."""
        before = fields.get(name)

        def field(x, y):
            share = bump(x, y, at_x, at_y, reach_x, reach_y)
            base = before(x, y) if before else (still(x), still(x))
            return base[0] + dx * share, base[1] + dy * share

        fields[name] = field

    fields["jawOpen"] = lambda x, y: (still(x), jaw_field(p, x, y))
    # The face's own left is at the right of the picture.
    for side, hand in ((1, "Left"), (-1, "Right")):
        corner, eye = CENTRE + side * half, CENTRE + side * p.eye_dx
        push(f"mouthSmile{hand}", side * 5.5, -6.5, corner, mouth - 2, 22, 16)
        push(f"mouthSmile{hand}", side * 2.0, -3.5, CENTRE + side * 48, p.nose_y + 4, 22, 16)
        push(f"mouthFrown{hand}", side * 1.0, 5.0, corner, mouth, 20, 14)
        push(f"mouthDimple{hand}", side * 3.0, -0.5, corner, mouth, 18, 14)
        push(f"mouthStretch{hand}", side * 2.5, 1.0, corner, mouth, 22, 18)
        push(f"mouthUpperUp{hand}", 0, -3.0, CENTRE + side * 13, mouth - 12, 16, 10)
        push(f"mouthLowerDown{hand}", 0, 3.0, CENTRE + side * 13, mouth + 12, 16, 10)
        push(f"cheekSquint{hand}", 0, -3.5, CENTRE + side * 44, p.eye_y + 30, 24, 14)
        push(f"noseSneer{hand}", side * 1.0, -3.0, CENTRE + side * p.nose_width, p.nose_y - 4, 12, 12)
        push(f"browDown{hand}", -side * 2.5, 5.5, eye - side * 4, p.brow_y, 34, 13)
        push(f"browOuterUp{hand}", 0, -6.0, eye + side * 18, p.brow_y - 2, 26, 15)
        push(f"eyeSquint{hand}", 0, -2.2, eye, p.eye_y + 15, 24, 8)
        push(f"eyeWide{hand}", 0, -2.0, eye, p.brow_y, 34, 14)
        push(f"eyeBlink{hand}", 0, 1.0, eye, p.brow_y, 34, 14)
        push("browInnerUp", 0, -7.0, CENTRE + side * 22, p.brow_y - 2, 22, 16)
        push("cheekPuff", side * 5.0, 0, CENTRE + side * 52, mouth - 4, 24, 26)
        push("mouthPucker", -side * 2.5, 0, CENTRE + side * 44, mouth, 18, 20)
        push("mouthFunnel", -side * 1.5, 0, CENTRE + side * 44, mouth, 18, 20)
        push(f"mouth{hand}", side * 6.0, 0, CENTRE, mouth, 44, 22)
        push(f"jaw{hand}", side * 6.0, 0, CENTRE, p.chin_y - 20, 54, 34)
    push("mouthShrugLower", 0, -3.0, CENTRE, mouth + 20, 26, 14)
    push("mouthShrugUpper", 0, -2.5, CENTRE, mouth - 10, 26, 10)

    # The head moves as one; the neck gives way until it is still at the collar.
    hold = lambda y: 1 - smooth(p.chin_y + 4, p.collar_y, y)
    turn = AXIS_RADIANS
    fields["head.yaw"] = lambda x, y: (turn * depth(p, x, y) * hold(y), still(x))
    fields["head.pitch"] = lambda x, y: (still(x), -turn * depth(p, x, y) * hold(y))
    fields["head.roll"] = lambda x, y: (-turn * (y - (p.chin_y + 50)) * hold(y), turn * (x - CENTRE) * hold(y))
    fields["head.x"] = lambda x, y: (AXIS_PIXELS * hold(y), still(x))
    fields["head.y"] = lambda x, y: (still(x), AXIS_PIXELS * hold(y))
    return fields


def lattice(person):
    """Names, and displacements [shape, row, column, 2] in units."""
    x, y = np.meshgrid(LEFT + STEP * np.arange(COLUMNS, dtype=float), TOP + STEP * np.arange(ROWS, dtype=float))
    # Nothing moves at the border, so that what moves ends inside.
    edge = np.minimum.reduce([x - LEFT, LEFT + STEP * (COLUMNS - 1) - x, LEFT + STEP * (ROWS - 1) - y + TOP - LEFT])
    inside = smooth(0, STEP, edge)
    names, fields = [], []
    for name, field in shapes(person).items():
        dx, dy = field(x, y)
        names.append(name)
        fields.append(np.stack([dx * inside, dy * inside], axis=-1))
    return names, np.stack(fields)


def between_points(field, x, y):
    """What a renderer makes of a field: its values at the lattice's points, interpolated."""
    column, row = (x - LEFT) / STEP, (y - TOP) / STEP
    left, above = np.floor(column).astype(int), np.floor(row).astype(int)
    across, down = column - left, row - above
    total = 0.0
    for dx, share_x in ((0, 1 - across), (1, across)):
        for dy, share_y in ((0, 1 - down), (1, down)):
            total = total + field(LEFT + STEP * (left + dx), TOP + STEP * (above + dy)) * share_x * share_y
    return total


def jaw_motion(person, x, y, weight):
    """Downward motion at (x, y) as it will be rendered for this opening of the jaw."""
    return weight * between_points(lambda px, py: jaw_field(person, px, py), x, y)
