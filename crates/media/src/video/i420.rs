use openh264::formats::YUVSource;

use crate::MediaError;

/// A borrowed I420 picture: a full plane of luma, two planes of chroma at half the size in both directions.
///
/// BT.709, limited range (luma 16 to 235, chroma 16 to 240). Width and height are even. Rows may be longer than
/// the picture is wide; the stride is the distance from one row to the next in bytes.
#[derive(Debug, Clone, Copy)]
pub struct I420View<'a> {
    width: u32,
    height: u32,
    y: &'a [u8],
    u: &'a [u8],
    v: &'a [u8],
    y_stride: usize,
    uv_stride: usize,
}

impl<'a> I420View<'a> {
    /// Borrows three planes as a picture of `width` by `height` pixels.
    ///
    /// # Errors
    ///
    /// Returns [`MediaError::VideoSettings`] for a size that is odd or zero or a stride shorter than a row, and
    /// [`MediaError::Plane`] for a plane that is too short.
    pub fn new(
        width: u32,
        height: u32,
        [y, u, v]: [&'a [u8]; 3],
        y_stride: usize,
        uv_stride: usize,
    ) -> Result<Self, MediaError> {
        let invalid = |reason| MediaError::VideoSettings { width, height, fps: 0, reason };
        if width == 0 || height == 0 || !width.is_multiple_of(2) || !height.is_multiple_of(2) {
            return Err(invalid("i420 needs an even width and height"));
        }
        let (columns, rows) = (width as usize, height as usize);
        if y_stride < columns || uv_stride < columns / 2 {
            return Err(invalid("a stride is shorter than its row"));
        }
        // The last row need not be followed by padding.
        let luma_len = y_stride * (rows - 1) + columns;
        let chroma_len = uv_stride * (rows / 2 - 1) + columns / 2;
        for (plane, found, expected) in
            [("y", y.len(), luma_len), ("u", u.len(), chroma_len), ("v", v.len(), chroma_len)]
        {
            if found < expected {
                return Err(MediaError::Plane { plane, width, height, expected, found });
            }
        }
        Ok(Self { width, height, y, u, v, y_stride, uv_stride })
    }

    /// Borrows one buffer that holds the three planes one after the other without padding.
    ///
    /// # Errors
    ///
    /// As [`I420View::new`].
    pub fn packed(width: u32, height: u32, data: &'a [u8]) -> Result<Self, MediaError> {
        let luma_len = width as usize * height as usize;
        let chroma_len = luma_len / 4;
        let (y, chroma) = data.split_at(luma_len.min(data.len()));
        let (u, v) = chroma.split_at(chroma_len.min(chroma.len()));
        Self::new(width, height, [y, u, v], width as usize, width as usize / 2)
    }

    /// Returns the width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Returns the height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }
}

impl YUVSource for I420View<'_> {
    fn dimensions(&self) -> (usize, usize) {
        (self.width as usize, self.height as usize)
    }

    fn strides(&self) -> (usize, usize, usize) {
        (self.y_stride, self.uv_stride, self.uv_stride)
    }

    fn y(&self) -> &[u8] {
        self.y
    }

    fn u(&self) -> &[u8] {
        self.u
    }

    fn v(&self) -> &[u8] {
        self.v
    }
}
