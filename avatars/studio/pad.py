"""A drawing surface in stage units (one unit = one pixel of the native picture), drawn larger and reduced."""

from contextlib import contextmanager

import numpy as np
import skia

# Drawn at this many samples a side and pixel, then averaged: softer edges than the rasteriser's own.
SUPERSAMPLE = 3


def colour(value, alpha=1.0):
    """A colour from "#rrggbb"."""
    red, green, blue = (int(value[i : i + 2], 16) for i in (1, 3, 5))
    return skia.Color(red, green, blue, round(255 * alpha))


def mix(one, other, share):
    """The colour that lies `share` of the way from one "#rrggbb" to another."""
    parts = []
    for i in (1, 3, 5):
        a, b = int(one[i : i + 2], 16), int(other[i : i + 2], 16)
        parts.append(round(a + (b - a) * share))
    return "#{:02x}{:02x}{:02x}".format(*parts)


def spline(points, closed=False, tension=0.5):
    """A smooth path through points (Catmull-Rom)."""
    points = [np.asarray(p, float) for p in points]
    count = len(points)
    path = skia.Path()
    path.moveTo(*points[0])
    for i in range(count if closed else count - 1):
        if closed:
            before, here, there, after = (points[(i + k) % count] for k in (-1, 0, 1, 2))
        else:
            before = points[max(i - 1, 0)]
            here, there = points[i], points[i + 1]
            after = points[min(i + 2, count - 1)]
        one = here + (there - before) * tension / 3
        two = there - (after - here) * tension / 3
        path.cubicTo(*one, *two, *there)
    if closed:
        path.close()
    return path


def mirrored(half, centre):
    """A closed outline from its right half: (distance from the centre line, y), top to bottom."""
    right = [(centre + dx, y) for dx, y in half]
    left = [(centre - dx, y) for dx, y in reversed(half) if dx > 0]
    return right + left


def ellipse(x, y, rx, ry):
    path = skia.Path()
    path.addOval(skia.Rect.MakeLTRB(x - rx, y - ry, x + rx, y + ry))
    return path


def radial(x, y, radius, stops):
    """A radial gradient; stops are (place, "#rrggbb", alpha)."""
    return skia.GradientShader.MakeRadial(
        (x, y), radius, [colour(c, a) for _, c, a in stops], [p for p, _, _ in stops]
    )


def linear(start, end, stops):
    """A linear gradient; stops are (place, "#rrggbb", alpha)."""
    return skia.GradientShader.MakeLinear(
        [start, end], [colour(c, a) for _, c, a in stops], [p for p, _, _ in stops]
    )


class Pad:
    """A surface over the stage rectangle (left, top, width, height)."""

    def __init__(self, left, top, width, height):
        self.size = (width, height)
        self.surface = skia.Surface(width * SUPERSAMPLE, height * SUPERSAMPLE)
        self.canvas = self.surface.getCanvas()
        self.canvas.clear(skia.ColorTRANSPARENT)
        self.canvas.scale(SUPERSAMPLE, SUPERSAMPLE)
        self.canvas.translate(-left, -top)

    def _paint(self, fill, alpha, blur, blend):
        paint = skia.Paint(AntiAlias=True, Dither=True)
        if isinstance(fill, str):
            paint.setColor(colour(fill, alpha))
        else:
            paint.setShader(fill)
            paint.setAlphaf(alpha)
        if blur:
            paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur))
        if blend is not None:
            paint.setBlendMode(blend)
        return paint

    def fill(self, path, fill, alpha=1.0, blur=0.0, blend=None):
        self.canvas.drawPath(path, self._paint(fill, alpha, blur, blend))

    def stroke(self, path, fill, width, alpha=1.0, blur=0.0, blend=None, cap=True):
        paint = self._paint(fill, alpha, blur, blend)
        paint.setStyle(skia.Paint.kStroke_Style)
        paint.setStrokeWidth(width)
        if cap:
            paint.setStrokeCap(skia.Paint.kRound_Cap)
            paint.setStrokeJoin(skia.Paint.kRound_Join)
        self.canvas.drawPath(path, paint)

    def everywhere(self, fill, alpha=1.0, blend=None):
        self.canvas.drawPaint(self._paint(fill, alpha, 0.0, blend))

    def erase(self, path):
        self.fill(path, "#000000", blend=skia.BlendMode.kClear)

    @contextmanager
    def inside(self, path, out=False):
        """Draws only inside (or only outside) of a path."""
        self.canvas.save()
        op = skia.ClipOp.kDifference if out else skia.ClipOp.kIntersect
        self.canvas.clipPath(path, op, True)
        yield
        self.canvas.restore()

    @contextmanager
    def moved(self, dx, dy):
        """Draws everything this far from where it says."""
        self.canvas.save()
        self.canvas.translate(dx, dy)
        yield
        self.canvas.restore()

    def picture(self):
        """The surface as straight-alpha RGBA, float32 0..1, [height, width, 4], one pixel per unit."""
        raw = np.zeros((self.size[1] * SUPERSAMPLE, self.size[0] * SUPERSAMPLE, 4), np.uint8)
        info = skia.ImageInfo.Make(
            raw.shape[1], raw.shape[0], skia.kRGBA_8888_ColorType, skia.kPremul_AlphaType
        )
        self.surface.readPixels(info, raw, raw.shape[1] * 4, 0, 0)
        width, height = self.size
        cells = raw.reshape(height, SUPERSAMPLE, width, SUPERSAMPLE, 4).astype(np.float32) / 255
        premultiplied = cells.mean(axis=(1, 3))
        alpha = premultiplied[..., 3:]
        straight = np.where(alpha > 0, premultiplied[..., :3] / np.maximum(alpha, 1e-6), 0)
        return np.concatenate([np.clip(straight, 0, 1), alpha], axis=2)
