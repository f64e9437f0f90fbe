//! The eyeball and its iris: each whole, where the photo shows only what lids and iris leave free.

use footlight_avatar::bundle::parts::{Image, Picture};

use super::canvas::{Canvas, Colour, luma, mix, pixel, scaled};
use super::geometry::{Place, distance, smooth};
use super::measures::Measures;
use super::mesh::window_around;
use super::opening::Opening;
use super::tones::Tones;

/// Rings that an iris' tones are averaged over.
const RINGS: usize = 12;

/// What both pictures are made from.
pub(super) struct Eyeball<'a> {
    pub(super) canvas: &'a Canvas,
    pub(super) m: &'a Measures,
    pub(super) opening: &'a Opening,
    pub(super) tones: &'a Tones,
}

impl Eyeball<'_> {
    /// How much of the photo's iris a place belongs to: all of it up to its rim, which is soft.
    fn iris_share(&self, place: Place) -> f32 {
        let (centre, radius) = self.opening.iris;
        1.0 - smooth(radius + 0.3, radius + 0.3 + 1.6 * self.m.size, distance(place, centre))
    }

    fn photo(&self, place: Place) -> Colour {
        self.canvas.at(self.m.axes.to_stage(place))
    }

    /// A picture over a part of the stage, from the colour and coverage of places of the face.
    fn picture(&self, corners: [Place; 2], stage: u32, mut colour: impl FnMut(Place) -> (Colour, f32)) -> Picture {
        let [[left, top], [right, bottom]] = corners;
        let around = [[left, top], [right, top], [left, bottom], [right, bottom]].map(|c| self.m.axes.to_stage(c));
        let (at, size) = window_around(&around, stage);
        let mut pixels = Vec::with_capacity(size[0] as usize * size[1] as usize);
        for y in 0..size[1] {
            for x in 0..size[0] {
                let place = [at[0] as f32 + x as f32 + 0.5, at[1] as f32 + y as f32 + 0.5];
                let (colour, alpha) = colour(self.m.axes.to_face(place));
                pixels.push(pixel(colour, alpha));
            }
        }
        Picture { at, image: Image { width: size[0], height: size[1], pixels } }
    }

    /// The white, as if there were no iris; a little larger than the eye ever opens.
    pub(super) fn ball(&self, stage: u32) -> Picture {
        let whites = self.whites();
        let [from, to] = self.opening.bounds(-0.4);
        let margin = 3.0;
        let corners = [[from[0] - margin, from[1] - margin], [to[0] + margin, to[1] + margin]];
        self.picture(corners, stage, |place| {
            let free = smooth(-1.1, -0.5, self.opening.inside(place, 0.0)) * (1.0 - self.iris_share(place));
            let photo = self.photo(place);
            (if free >= 1.0 { photo } else { mix(self.white_at(&whites, place), photo, free) }, 1.0)
        })
    }

    /// Places of the white that the photo shows, away from lids and iris.
    fn whites(&self) -> Vec<(Place, Colour)> {
        let [from, to] = self.opening.bounds(0.0);
        let (centre, radius) = self.opening.iris;
        let mut found = Vec::new();
        let step = 1.0;
        let (columns, rows) = ((to[0] - from[0]) as usize, (to[1] - from[1]) as usize);
        for row in 0..=rows {
            for column in 0..=columns {
                let place = [from[0] + column as f32 * step, from[1] + row as f32 * step];
                let free = distance(place, centre) > radius + 1.8 * self.m.size;
                if free && self.opening.inside(place, 0.0) > 1.2 * self.m.size {
                    found.push((place, self.photo(place)));
                }
            }
        }
        found
    }

    /// What the white would be at a place, from where it shows; rather from beside than from above or below, where the
    /// lids' shadow makes another tone.
    fn white_at(&self, whites: &[(Place, Colour)], place: Place) -> Colour {
        let k = self.m.size;
        let (mut sum, mut total) = ([0.0; 3], 1e-9);
        for &(at, colour) in whites {
            let (du, dv) = ((at[0] - place[0]) / k, 2.5 * (at[1] - place[1]) / k);
            let weight = (0.6 + du * du + dv * dv).powi(-2);
            sum = [0, 1, 2].map(|c| sum[c] + colour[c] * weight);
            total += weight;
        }
        if whites.len() < 8 { scaled(self.tones.teeth, 0.95) } else { sum.map(|s| s / total) }
    }

    /// The whole iris; what the lids hide goes on as its rings do.
    pub(super) fn iris(&self, stage: u32) -> Picture {
        let (centre, radius) = self.opening.iris;
        let rings = self.rings();
        let reach = radius + 3.0 * self.m.size;
        let corners = [[centre[0] - reach, centre[1] - reach], [centre[0] + reach, centre[1] + reach]];
        self.picture(corners, stage, |place| {
            let far = distance(place, centre) / radius * (RINGS - 1) as f32;
            let ring = (far as usize).min(RINGS - 2);
            let hidden = mix(rings[ring], rings[ring + 1], (far - ring as f32).clamp(0.0, 1.0));
            let seen = smooth(-0.8, 0.2, self.opening.inside(place, 0.0));
            // Under the upper lid it is darker.
            let shade = if place[1] < centre[1] { 0.86 } else { 1.0 };
            (mix(scaled(hidden, shade), self.photo(place), seen), self.iris_share(place))
        })
    }

    /// The tones of the iris from its middle to its rim, where the photo shows them.
    fn rings(&self) -> [Colour; RINGS] {
        let (centre, radius) = self.opening.iris;
        let mut rings = [None; RINGS];
        for (index, ring) in rings.iter_mut().enumerate() {
            let far = radius * (index as f32 + 0.3) / RINGS as f32;
            let mut tones: Vec<Colour> = (0..48)
                .map(|k| (k as f32 / 48.0 * std::f32::consts::TAU).sin_cos())
                .map(|(sin, cos)| [centre[0] + cos * far, centre[1] + sin * far])
                .filter(|&place| self.opening.inside(place, 0.0) > 1.0)
                .map(|place| self.photo(place))
                .collect();
            tones.sort_by(|a, b| luma(*a).total_cmp(&luma(*b)));
            // Darker than the middle one: catchlights are not of the iris.
            *ring = tones.get(tones.len() * 2 / 5).copied();
        }
        let mut last = rings.iter().flatten().next().copied().unwrap_or([0.12, 0.08, 0.06]);
        rings.map(|ring| {
            last = ring.unwrap_or(last);
            last
        })
    }
}
