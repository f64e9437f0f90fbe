//! Places, curves and the frame of a face.

/// x to the right and y down, or u and v of a face: pixels.
pub(super) type Place = [f32; 2];

/// From 0 at `low` to 1 at `high` without corners.
pub(super) fn smooth(low: f32, high: f32, value: f32) -> f32 {
    let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}

/// What is left of a displacement at `share` of the way over which it fades: 1 at 0, 0 from 1 on.
pub(super) fn fade(share: f32) -> f32 {
    1.0 - smooth(0.0, 1.0, share)
}

/// A soft hill of height 1.
pub(super) fn bump(place: Place, centre: Place, reach: Place) -> f32 {
    let [x, y] = [(place[0] - centre[0]) / reach[0], (place[1] - centre[1]) / reach[1]];
    (-x * x - y * y).exp()
}

pub(super) fn lerp(from: f32, to: f32, share: f32) -> f32 {
    from + (to - from) * share
}

pub(super) fn mid(one: Place, other: Place) -> Place {
    [(one[0] + other[0]) / 2.0, (one[1] + other[1]) / 2.0]
}

pub(super) fn distance(one: Place, other: Place) -> f32 {
    (one[0] - other[0]).hypot(one[1] - other[1])
}

pub(super) fn mean(places: &[Place]) -> Place {
    let count = places.len().max(1) as f32;
    let sum = places.iter().fold([0.0; 2], |sum, place| [sum[0] + place[0], sum[1] + place[1]]);
    sum.map(|s| s / count)
}

/// The frame of a face on the stage: u along the line of the eyes to the right, v down along the nose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axes {
    origin: Place,
    cos: f32,
    sin: f32,
}

impl Axes {
    /// The frame between two eyes, given from left to right.
    pub(super) fn between(left: Place, right: Place) -> Self {
        let length = distance(left, right).max(1e-3);
        Self { origin: mid(left, right), cos: (right[0] - left[0]) / length, sin: (right[1] - left[1]) / length }
    }

    pub(super) fn to_face(self, [x, y]: Place) -> Place {
        let (dx, dy) = (x - self.origin[0], y - self.origin[1]);
        [dx * self.cos + dy * self.sin, dy * self.cos - dx * self.sin]
    }

    pub(super) fn to_stage(self, place: Place) -> Place {
        let [x, y] = self.turned(place);
        [self.origin[0] + x, self.origin[1] + y]
    }

    /// A direction of the face on the stage.
    pub(super) fn turned(self, [u, v]: Place) -> Place {
        [u * self.cos - v * self.sin, u * self.sin + v * self.cos]
    }

    /// How far the frame is turned, in radians.
    pub(super) fn tilt(self) -> f32 {
        self.sin.atan2(self.cos)
    }
}

/// Heights over ascending places, with a smooth curve between them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Profile {
    places: Vec<f32>,
    heights: Vec<f32>,
}

impl Profile {
    /// A curve through points. Points that do not lie to the right of those before them are left out.
    pub(super) fn through(points: &[Place]) -> Self {
        let mut curve = Self { places: Vec::new(), heights: Vec::new() };
        for &[place, height] in points {
            if curve.places.last().is_none_or(|&last| place > last + 1e-3) {
                curve.places.push(place);
                curve.heights.push(height);
            }
        }
        curve
    }

    /// The height at a place; beyond its ends those of the ends.
    pub(super) fn at(&self, place: f32) -> f32 {
        let (places, heights) = (&self.places, &self.heights);
        let last = places.len().saturating_sub(1);
        let Some(&first_height) = heights.first() else { return 0.0 };
        if last == 0 || place <= places[0] {
            return first_height;
        }
        if place >= places[last] {
            return heights[last];
        }
        let right = places.partition_point(|&p| p <= place).clamp(1, last);
        let left = right - 1;
        let span = places[right] - places[left];
        let slope = |at: usize| {
            let (before, after) = (at.saturating_sub(1), (at + 1).min(last));
            (heights[after] - heights[before]) / (places[after] - places[before])
        };
        let t = (place - places[left]) / span;
        let (t2, t3) = (t * t, t * t * t);
        let height = heights[left] * (2.0 * t3 - 3.0 * t2 + 1.0)
            + heights[right] * (3.0 * t2 - 2.0 * t3)
            + slope(left) * span * (t3 - 2.0 * t2 + t)
            + slope(right) * span * (t3 - t2);
        // Points that lie close together have steep slopes: no curve swings far beyond its neighbours.
        let near = &heights[left.saturating_sub(1)..=(right + 1).min(last)];
        let (low, high) = near.iter().fold((f32::MAX, f32::MIN), |(low, high), &h| (low.min(h), high.max(h)));
        let slack = 0.5 * (high - low);
        height.clamp(low - slack, high + slack)
    }
}

/// `values` between its entries at a fractional index, smoothly; held beyond its ends.
pub(super) fn at_index(values: &[f32], index: f32) -> f32 {
    let last = values.len() - 1;
    let index = index.clamp(0.0, last as f32);
    let left = (index as usize).min(last.saturating_sub(1));
    let t = index - left as f32;
    let get = |k: usize| values[k.min(last)];
    let (before, from, to, after) = (get(left.saturating_sub(1)), get(left), get(left + 1), get(left + 2));
    let (t2, t3) = (t * t, t * t * t);
    from * (2.0 * t3 - 3.0 * t2 + 1.0)
        + to * (3.0 * t2 - 2.0 * t3)
        + (to - before) / 2.0 * (t3 - 2.0 * t2 + t)
        + (after - from) / 2.0 * (t3 - t2)
}

/// The fractional index at which ascending `values` reach `value`; held at their ends.
pub(super) fn index_of(values: &[f32], value: f32) -> f32 {
    let right = values.partition_point(|&v| v <= value);
    if right == 0 {
        return 0.0;
    }
    if right >= values.len() {
        return (values.len() - 1) as f32;
    }
    let (from, to) = (values[right - 1], values[right]);
    (right - 1) as f32 + if to > from { (value - from) / (to - from) } else { 0.0 }
}
