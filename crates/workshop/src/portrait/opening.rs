//! The opening of an eye: where its lids' edges are at any closure.

use super::canvas::{Canvas, luma};
use super::face::EyePoints;
use super::geometry::{Place, Profile, distance, lerp, smooth};
use super::measures::Measures;

/// Points along a lid that its curve is drawn through.
const LID_POINTS: usize = 15;
/// Where lids meet, as a share of the way from the open upper lid to the lower one.
const MEET: f32 = 0.86;
/// How deep below the edge of the upper lid its lashes' shadow is, in model units.
const SHADOW: f32 = 1.3;
/// How much of a wide eye is drawn.
const WIDE_SHARE: f32 = 0.6;

/// An eye in the frame of the face.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    pub(super) left: f32,
    pub(super) right: f32,
    upper: Profile,
    lower: Profile,
    shadow: f32,
    /// Centre and radius of the iris.
    pub(super) iris: (Place, f32),
}

impl Opening {
    pub(super) fn of(canvas: &Canvas, m: &Measures, eye: &EyePoints) -> Self {
        let [from, to] = eye.corners();
        let (left, right) = (from[0], to[0]);
        let curve = |points: &[Place]| if points.len() > 5 { Profile::through(points) } else { arc(points) };
        let (upper, lower) = (curve(&eye.upper), curve(&eye.lower));
        let mut opening = Self { left, right, upper, lower, shadow: SHADOW * m.size, iris: ([0.0; 2], 1.0) };
        let width = opening.width();
        opening.iris = match eye.iris {
            Some((centre, radius)) if opening.takes(centre) => (centre, radius.clamp(0.15 * width, 0.32 * width)),
            _ => opening.find_iris(canvas, m),
        };
        opening
    }

    pub(super) fn width(&self) -> f32 {
        self.right - self.left
    }

    /// Heights of the upper and the lower edge at a place across; equal in the corners and beyond.
    pub(super) fn edges(&self, u: f32, closure: f32) -> [f32; 2] {
        let (upper, lower) = (self.upper.at(u), self.lower.at(u));
        let lower = lower.max(upper);
        // The shadow of the lashes belongs to the lid: it moves with it.
        let shadow = self.shadow * (1.0 - self.along(u).clamp(-1.0, 1.0).powi(6));
        let upper = (upper + shadow).min(lower);
        let meet = lerp(upper, lower, MEET);
        // Eyes that are opened wide show less of what the photo lacks than they might.
        let raised = if closure < 0.0 { WIDE_SHARE * closure } else { closure };
        [lerp(upper, meet, raised), lerp(lower, meet, closure.max(0.0))]
    }

    /// Where along the eye a place is: -1 and 1 in its corners.
    pub(super) fn along(&self, u: f32) -> f32 {
        2.0 * (u - self.left) / self.width().max(1.0) - 1.0
    }

    /// How far inside of the open eye a place is, in pixels; below 0 outside.
    pub(super) fn inside(&self, [u, v]: Place, closure: f32) -> f32 {
        let [upper, lower] = self.edges(u, closure);
        (v - upper).min(lower - v).min((u - self.left).min(self.right - u))
    }

    fn takes(&self, place: Place) -> bool {
        self.inside(place, 0.0) > 0.0
    }

    /// The darkest disc that is set off from what is around it.
    fn find_iris(&self, canvas: &Canvas, m: &Measures) -> (Place, f32) {
        let width = self.width();
        let middle = (self.left + self.right) / 2.0;
        let step = (width / 60.0).max(0.4);
        // The whole eye once, as luma; NaN outside of the opening.
        let bounds = self.bounds(0.0);
        let cells = [0, 1].map(|axis| ((bounds[1][axis] - bounds[0][axis]) / step).ceil().max(1.0) as usize + 1);
        let place = |i: usize| [0, 1].map(|axis| bounds[0][axis] + [i % cells[0], i / cells[0]][axis] as f32 * step);
        let samples: Vec<(Place, f32)> = (0..cells[0] * cells[1])
            .map(place)
            .filter(|&at| self.inside(at, 0.0) > 0.06 * width * 0.5)
            .map(|at| (at, luma(canvas.at(m.axes.to_stage(at)))))
            .collect();
        let mut best = (f32::MIN, ([middle, self.middle_height(middle)], 0.22 * width));
        for radius_step in 0..5 {
            let radius = width * (0.18 + 0.025 * radius_step as f32);
            for across in -14..=14 {
                let u = middle + width * 0.022 * across as f32;
                for down in -5..=5 {
                    let centre = [u, self.middle_height(u) + width * 0.02 * down as f32];
                    let score = contrast(&samples, centre, radius)
                        - 0.5 * ((u - middle) / width).powi(2)
                        - 0.6 * (radius / width - 0.225).abs()
                        - 0.2 * (down as f32 * 0.02).abs();
                    if score > best.0 {
                        best = (score, (centre, radius));
                    }
                }
            }
        }
        best.1
    }

    fn middle_height(&self, u: f32) -> f32 {
        let [upper, lower] = self.edges(u, 0.0);
        lerp(upper, lower, 0.45)
    }

    /// The least and the greatest place of the opening.
    pub(super) fn bounds(&self, closure: f32) -> [Place; 2] {
        let edges = (0..=20).map(|k| self.edges(lerp(self.left, self.right, k as f32 / 20.0), closure));
        let (low, high) =
            edges.fold((f32::MAX, f32::MIN), |(low, high), [upper, lower]| (low.min(upper), high.max(lower)));
        [[self.left, low], [self.right, high]]
    }
}

/// How much darker a disc is than a ring around it.
fn contrast(samples: &[(Place, f32)], centre: Place, radius: f32) -> f32 {
    let (mut disc, mut ring) = ((0.0, 0.0), (0.0, 0.0));
    for &(at, light) in samples {
        let far = distance(at, centre) / radius;
        if far < 0.95 {
            // Catchlights are no part of the iris' tone.
            disc = (disc.0 + light.min(0.6), disc.1 + 1.0);
        } else if (1.1..1.6).contains(&far) {
            ring = (ring.0 + light, ring.1 + 1.0);
        }
    }
    if disc.1 < 6.0 || ring.1 < 6.0 { f32::MIN } else { ring.0 / ring.1 - disc.0 / disc.1 }
}

/// A rounded lid through two corners and a few places between them.
fn arc(points: &[Place]) -> Profile {
    let (Some(&from), Some(&to)) = (points.first(), points.last()) else { return Profile::through(points) };
    let inner = &points[1..points.len() - 1];
    let base = |u: f32| lerp(from[1], to[1], ((u - from[0]) / (to[0] - from[0]).max(1e-3)).clamp(0.0, 1.0));
    let along = |u: f32| (2.0 * (u - from[0]) / (to[0] - from[0]).max(1e-3) - 1.0).clamp(-0.999, 0.999);
    let round = |t: f32| (1.0 - t * t).powf(0.8);
    // Height and lean of the arc, by least squares.
    let (mut a, mut b, mut c, mut p, mut q) = (1e-3, 0.0, 1e-3, 0.0, 0.0);
    for &[u, v] in inner {
        let (t, high) = (along(u), v - base(u));
        let (one, lean) = (round(t), round(t) * t);
        a += one * one;
        b += one * lean;
        c += lean * lean;
        p += one * high;
        q += lean * high;
    }
    let determinant: f32 = a * c - b * b;
    let (height, lean) = if determinant.abs() > 1e-4 {
        ((p * c - q * b) / determinant, (q * a - p * b) / determinant)
    } else {
        (p / a, 0.0)
    };
    let lean = lean.clamp(-0.8 * height.abs(), 0.8 * height.abs());
    let places = (0..LID_POINTS).map(|k| {
        let u = lerp(from[0], to[0], k as f32 / (LID_POINTS - 1) as f32);
        let t = if k == 0 || k == LID_POINTS - 1 { 1.0 } else { along(u) };
        [u, base(u) + round(t) * (height + lean * t)]
    });
    Profile::through(&places.collect::<Vec<_>>())
}

/// How much of an edge's far side shows at a distance from it.
pub(super) fn past(distance: f32, soft: f32) -> f32 {
    smooth(-0.5 * soft - 0.1, 0.5 * soft + 0.1, distance)
}
