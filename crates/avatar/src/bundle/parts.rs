//! The parts of a bundle, unpacked and checked.

use std::sync::Arc;

pub use super::manifest::{Landmarks, Part, Point, Side};
use super::network::MouthModel;

/// An RGBA picture, 8 bits a channel, straight alpha, sRGB, row-major from the upper left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `width * height` pixels.
    pub pixels: Vec<[u8; 4]>,
}

/// A picture and where its upper left corner lies on the stage; it may reach beyond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Stage position in pixels.
    pub at: [i32; 2],
    /// The pixels.
    pub image: Image,
}

/// One layer of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// What it shows.
    pub part: Part,
    /// Its pixels.
    pub picture: Picture,
    /// How far in front each pixel is, 0 to 255, in the first channel; of the picture's size.
    pub depth: Option<Image>,
}

/// What a displacement field answers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// A blendshape, by its index in [`Weights`](crate::Weights); displacements are those at weight 1.
    Blendshape(usize),
    /// A turn of the head; displacements are those at [`AXIS_RADIANS`].
    Yaw,
    /// A nod of the head; displacements are those at [`AXIS_RADIANS`].
    Pitch,
    /// A tilt of the head; displacements are those at [`AXIS_RADIANS`].
    Roll,
    /// A shift to the right; displacements are those at [`AXIS_PIXELS`].
    X,
    /// A shift down; displacements are those at [`AXIS_PIXELS`].
    Y,
}

/// The rotation that pose fields are given for, in radians.
pub const AXIS_RADIANS: f32 = 0.1;
/// The shift that pose fields are given for, in stage pixels.
pub const AXIS_PIXELS: f32 = 10.0;

/// A displacement field on a lattice.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// What it answers to.
    pub axis: Axis,
    /// How far each lattice point moves, in stage pixels; row-major, `rows * columns` of them.
    pub offsets: Vec<Point>,
}

/// A regular lattice over the moving part of the stage and its displacement fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Lattice {
    /// Stage position of the first point.
    pub at: [i32; 2],
    /// Stage pixels between points.
    pub step: u32,
    /// Points in a row.
    pub columns: usize,
    /// Rows of points.
    pub rows: usize,
    /// One field for each axis the face has.
    pub fields: Vec<Field>,
}

/// One picture of a bank, and where the features that all pictures share lie in it.
///
/// The mesh says where a feature is: blends bring each picture's features to their blended place first, then mix colours.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    /// The picture, of the bank's size.
    pub image: Image,
    /// Where each mesh column lies, pixels from the left of the patch, ascending; columns are upright.
    pub columns: Vec<f32>,
    /// Where each mesh row crosses each column, pixels from the top of the patch; row-major, ascending by row.
    pub rows: Vec<f32>,
}

/// Pictures of the same small window of the stage in different states.
#[derive(Debug, Clone, PartialEq)]
pub struct Bank {
    /// Stage position of the window.
    pub at: [i32; 2],
    /// Size of the window in pixels.
    pub size: [u32; 2],
    /// The pictures.
    pub patches: Vec<Patch>,
}

/// The mouth: a grid of openings by widths, and shapes of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct Mouth {
    /// The pictures: the grid (row-major, openings by widths), then the shapes. They are solid.
    pub bank: Bank,
    /// A grey picture of the bank's size: how much of the head below a mouth covers, in the first channel. Without one
    /// it covers its whole window.
    pub mask: Option<Image>,
    /// How far the lips of each grid row are apart: from 0 (they touch) to 1, ascending.
    pub gaps: Vec<f32>,
    /// How wide the mouth of each grid column is: from -1 (round) to 1 (spread), ascending.
    pub widths: Vec<f32>,
    /// The patch of lips pressed together.
    pub pressed: Option<usize>,
    /// The patch of the lower lip under the upper teeth: f, v.
    pub bite: Option<usize>,
    /// The patch of the tongue at the upper teeth: l, th.
    pub tongue: Option<usize>,
}

/// The lids of one eye by closure.
#[derive(Debug, Clone, PartialEq)]
pub struct Lids {
    /// The pictures, one for each closure; clear where the eyeball shows.
    pub bank: Bank,
    /// How far each picture is closed: 0 open, 1 closed, below 0 wide open; ascending.
    pub closures: Vec<f32>,
}

/// One eye.
#[derive(Debug, Clone, PartialEq)]
pub struct Eye {
    /// Which of the face's own sides.
    pub side: Side,
    /// The white.
    pub ball: Picture,
    /// The iris, looking straight at the camera.
    pub iris: Picture,
    /// How far the iris goes at a full look to the side and up or down, in stage pixels.
    pub travel: Point,
    /// What closes over it.
    pub lids: Lids,
}

/// A network that draws the mouth from sound, instead of the bank while something is said.
#[derive(Debug, Clone)]
pub struct MouthNetwork {
    /// The network, ready to run.
    pub model: Arc<MouthModel>,
    /// The square of the stage that the network sees and draws: x, y and side in pixels.
    pub face: [u32; 3],
}

impl PartialEq for MouthNetwork {
    fn eq(&self, other: &Self) -> bool {
        (Arc::ptr_eq(&self.model, &other.model) || self.model.onnx() == other.model.onnx()) && self.face == other.face
    }
}
