"""What one drawn person looks like, and what their face is doing."""

from dataclasses import dataclass, field

CENTRE = 256.0


@dataclass(frozen=True)
class Skin:
    """Tones of the skin from lit to deep shadow, and what lies under it."""

    light: str
    base: str
    shade: str
    deep: str
    blush: str
    lip: str
    lip_dark: str
    rim: str


@dataclass(frozen=True)
class Person:
    """A face, in stage units: one unit is a pixel of the 512 pixel picture."""

    name: str
    skin: Skin
    # The right half of the face's outline as (distance from the centre line, y), from the top down.
    outline: tuple
    eye_y: float
    eye_dx: float
    eye_width: float
    eye_height: float
    iris: tuple  # rim, ring, centre
    iris_radius: float
    lash: str
    lash_width: float
    brow: str
    brow_y: float
    brow_weight: float
    brow_arch: float
    nose_y: float
    nose_width: float
    mouth_y: float
    mouth_width: float
    upper_lip: float
    lower_lip: float
    lip_tint: float
    ear_y: float
    ear_height: float
    neck_width: float
    # Where the neck goes into the clothes: what moves with the head ends here.
    collar_y: float
    stubble: float = 0.0
    stubble_tone: str = "#000000"

    @property
    def chin_y(self):
        return self.outline[-1][1]


@dataclass(frozen=True)
class MouthState:
    """What the mouth does; all in 0..1 but `wide`, which goes from -1 (round) to 1 (spread)."""

    gap: float = 0.0
    wide: float = 0.0
    press: float = 0.0
    bite: float = 0.0  # lower lip under the upper teeth: f, v
    tongue: float = 0.0  # tip of the tongue at the upper teeth: l, th


REST = MouthState()
