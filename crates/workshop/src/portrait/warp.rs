//! The person's lips and the skin around them, warped from the photo to one state of the mouth.

use super::geometry::{Place, at_index, fade, index_of, lerp};
use super::lips::{LIP_POINTS, LipShape, gathered};
use super::reach::Reach;

/// Rows of a mesh above the lips.
pub(super) const ABOVE: usize = 2;

/// One state of the mouth, in rest coordinates: the jaw's motion taken out.
pub(super) struct Warp<'a> {
    pub(super) photo: &'a LipShape,
    pub(super) rest: LipShape,
    pub(super) reach: &'a Reach,
    /// Over how many pixels beyond the corners the lips' motion fades.
    pub(super) beside: f32,
    /// How round the mouth is, 0 to 1.
    pub(super) round: f32,
}

/// The lips at one column of the picture: heights in the picture, heights in the photo.
pub(super) struct Column {
    /// Where it comes from across, at the height of the lips.
    from_u: f32,
    /// Top, upper, lower, bottom: in the picture and in the photo.
    pub(super) now: [f32; 4],
    photo: [f32; 4],
}

impl Warp<'_> {
    pub(super) fn column(&self, u: f32) -> Column {
        let (now, photo) = (&self.rest, self.photo);
        let last = LIP_POINTS - 1;
        let index = index_of(&now.u, u);
        let at = |shape: &LipShape, index: f32| {
            [&shape.top, &shape.upper, &shape.lower, &shape.bottom].map(|line| at_index(line, index))
        };
        let photo_index = gathered(index, self.round);
        let (mut heights, from) = (at(now, index), at(photo, photo_index));
        // Beyond a corner its motion fades.
        let (corner, off) = if u < now.u[0] { (0, now.u[0] - u) } else { (last, u - now.u[last]) };
        if off <= 0.0 {
            return Column { from_u: at_index(&photo.u, photo_index), now: heights, photo: from };
        }
        let left = fade(off / self.beside);
        for (height, from) in heights.iter_mut().zip(from) {
            *height = from + (*height - from) * left;
        }
        Column { from_u: u - (now.u[corner] - photo.u[corner]) * left, now: heights, photo: from }
    }

    /// Where in the photo the skin or lip at a place comes from. `upper` asks for the upper lip's side.
    pub(super) fn source(&self, column: &Column, u: f32, v: f32, upper: bool) -> Place {
        let (now, photo) = (&column.now, &column.photo);
        let inset = self.reach.feather * 0.5;
        let within = |from: usize, to: usize| {
            let thick = now[to] - now[from];
            let share = if thick > 1e-3 { ((v - now[from]) / thick).clamp(0.0, 1.0) } else { 0.0 };
            [column.from_u, lerp(photo[from], photo[to], share)]
        };
        // Skin: the lip's motion fades towards the border of what may change.
        let skin = |lip: usize, left: f32| {
            let left = left * self.reach.freedom([u, v]);
            [u + (column.from_u - u) * left, v - (now[lip] - photo[lip]) * left]
        };
        if upper {
            if v >= now[0] {
                return within(0, 1);
            }
            let room = (now[0] - self.reach.top - inset).max(1.0);
            skin(0, fade((now[0] - v) / room))
        } else {
            if v <= now[3] {
                return within(2, 3);
            }
            let room = (self.reach.bottom - inset - now[3]).max(1.0);
            skin(3, fade((v - now[3]) / room))
        }
    }

    /// Where across the picture skin is that is beside the lips in the photo.
    pub(super) fn place_of(&self, photo: f32) -> f32 {
        // The photo's places grow with the picture's: halve.
        let (mut low, mut high) = (photo - self.beside, photo + self.beside);
        for _ in 0..20 {
            let middle = (low + high) / 2.0;
            let column = self.column(middle);
            if self.source(&column, middle, column.now[0] - 0.01, true)[0] < photo {
                low = middle
            } else {
                high = middle
            }
        }
        (low + high) / 2.0
    }

    /// Heights, at a place across, of features that all pictures of the bank share, from top to bottom.
    pub(super) fn rows(&self, u: f32) -> Vec<f32> {
        let column = self.column(u);
        let height_of = |target: f32, from: f32, to: f32, upper: bool| {
            // The photo's height grows with the picture's: halve.
            let (mut low, mut high) = (from, to);
            for _ in 0..18 {
                let middle = (low + high) / 2.0;
                if self.source(&column, u, middle, upper)[1] < target { low = middle } else { high = middle }
            }
            (low + high) / 2.0
        };
        let (now, photo) = (&column.now, &column.photo);
        let (top, bottom) = (self.reach.top, self.reach.bottom);
        let above: [f32; ABOVE] = [0.35, 0.7].map(|share| height_of(lerp(top, photo[0], share), top, now[0], true));
        let below = [0.25, 0.5, 0.75].map(|share| height_of(lerp(photo[3], bottom, share), now[3], bottom, false));
        above.into_iter().chain(*now).chain(below).collect()
    }
}
