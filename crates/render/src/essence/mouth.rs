//! The mouth: a blend of its bank's patches, let into the face through a mask.

use footlight_avatar::Weights;
use footlight_avatar::bundle::parts::Mouth;

use super::bank::{Bench, Blend, ScaledBank, Target, Use};
use super::layout::Layout;
use super::planes::{Planes, share_of};
use super::raster::{Beyond, Raster};
use super::shapes::patches_for;

/// The mouth at the frame's size.
#[derive(Debug)]
pub(super) struct ScaledMouth {
    mouth: Mouth,
    pub(super) bank: ScaledBank,
    /// How much a blend covers, as coverage.
    mask: Planes,
    /// The face without a mouth.
    below: Planes,
}

/// Room for the mouth's work; kept between frames.
#[derive(Debug, Default, Clone)]
pub(super) struct MouthRoom {
    patches: Vec<(usize, f32)>,
    blend: Blend,
}

impl ScaledMouth {
    pub(super) fn new(mouth: &Mouth, face: &Raster, layout: &Layout) -> Self {
        let window = ScaledBank::window(&mouth.bank, layout);
        let near = face.crop(mouth.bank.at, mouth.bank.size, super::bank::SURROUNDINGS);
        let mask = Planes::of_window(&mask_of(mouth), layout, window, Beyond::Clear);
        Self {
            bank: ScaledBank::new(&mouth.bank, face, layout, &Use::Under(&mask)),
            below: Planes::of_window(&near, layout, window, Beyond::Clear),
            mouth: mouth.clone(),
            mask,
        }
    }

    /// Draws the mouth into the three colour planes.
    pub(super) fn draw(&self, weights: &Weights, room: &mut MouthRoom, bench: &mut Bench, targets: [Target<'_>; 3]) {
        patches_for(&self.mouth, weights, &mut room.patches);
        room.blend.set(&room.patches);
        let [y, u, v] = targets;
        let (luma, chroma) = (&mut [y], &mut [u, v]);
        self.bank.draw(&room.blend, bench, luma, chroma);
        let ([y], [u, v]) = (luma, chroma);
        let (width, below, mask) = (self.bank.window.width, &self.below, &self.mask);
        let_in(y, &below.y, &mask.a, width);
        let_in(u, &below.u, &mask.ac, width / 2);
        let_in(v, &below.v, &mask.ac, width / 2);
    }
}

/// The mouth at rest, as it lies over the face.
pub(super) fn at_rest(mouth: &Mouth) -> Option<Raster> {
    let mut picture = Raster::of(&mouth.bank.patches.first()?.image, mouth.bank.at);
    for (pixel, mask) in picture.pixels.iter_mut().zip(mask_of(mouth).pixels) {
        *pixel = pixel.map(|channel| channel * mask[3]);
    }
    Some(picture)
}

fn mask_of(mouth: &Mouth) -> Raster {
    let [width, height] = mouth.bank.size.map(|side| side as usize);
    let mut raster = Raster::clear(mouth.bank.at, width, height);
    for (index, pixel) in raster.pixels.iter_mut().enumerate() {
        pixel[3] = mouth.mask.as_ref().map_or(1.0, |mask| f32::from(mask.pixels[index][0]) / 255.0);
    }
    raster
}

/// Mixes what was drawn with what lies below, by the mask.
pub(super) fn let_in(target: &mut Target<'_>, below: &[u8], mask: &[u8], width: usize) {
    for (row, (below, mask)) in below.chunks_exact(width).zip(mask.chunks_exact(width)).enumerate() {
        let line = &mut target.plane[target.start + row * target.stride..][..width];
        for ((pixel, &b), &m) in line.iter_mut().zip(below).zip(mask) {
            *pixel = share_of(*pixel, m).saturating_add(share_of(b, 255_u8.wrapping_sub(m)));
        }
    }
}
