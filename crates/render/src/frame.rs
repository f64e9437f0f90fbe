//! A picture in planar I420, BT.709 limited range.

/// The picture of black: luma 16, chroma 128.
const BLACK_LUMA: u8 = 16;
const GREY_CHROMA: u8 = 128;

/// One picture: planar I420, BT.709 limited range, rows without padding.
///
/// `data` holds `width * height` bytes of Y, then a quarter of that of U, then of V.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    width: u32,
    height: u32,
    data: Vec<u8>,
}

impl Frame {
    /// A black frame. Odd sides are rounded up to the next even number.
    #[must_use]
    pub fn black(width: u32, height: u32) -> Self {
        let (width, height) = (width.next_multiple_of(2), height.next_multiple_of(2));
        let luma = width as usize * height as usize;
        let mut data = vec![BLACK_LUMA; luma + luma / 2];
        data[luma..].fill(GREY_CHROMA);
        Self { width, height, data }
    }

    /// The width in pixels, always even.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// The height in pixels, always even.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// All three planes, Y then U then V.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// All three planes, Y then U then V, to write to.
    #[must_use]
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// The luma plane: `height` rows of `width` bytes.
    #[must_use]
    pub fn y(&self) -> &[u8] {
        &self.data[..self.luma_len()]
    }

    /// The first chroma plane: `height / 2` rows of `width / 2` bytes.
    #[must_use]
    pub fn u(&self) -> &[u8] {
        let luma = self.luma_len();
        &self.data[luma..luma + luma / 4]
    }

    /// The second chroma plane, laid out as [`Frame::u`].
    #[must_use]
    pub fn v(&self) -> &[u8] {
        let luma = self.luma_len();
        &self.data[luma + luma / 4..]
    }

    /// The pixel at column `x` of row `y` in sRGB, 0 to 255, by the matrix of ITU-R BT.709 from limited range; chroma is
    /// that of the pixel's square of four.
    ///
    /// # Panics
    /// When `x` or `y` is outside of the frame.
    #[must_use]
    pub fn rgb(&self, x: u32, y: u32) -> [u8; 3] {
        let (x, y, width) = (x as usize, y as usize, self.width as usize);
        let chroma = y / 2 * (width / 2) + x / 2;
        let light = (f32::from(self.y()[y * width + x]) - 16.0) / 219.0;
        let blue = (f32::from(self.u()[chroma]) - 128.0) / 224.0;
        let red = (f32::from(self.v()[chroma]) - 128.0) / 224.0;
        let channels = [light + 1.5748 * red, light - 0.1873 * blue - 0.4681 * red, light + 1.8556 * blue];
        channels.map(|c| (c * 255.0 + 0.5).clamp(0.0, 255.0) as u8)
    }

    /// The three planes Y, U and V, to write to.
    #[must_use]
    pub fn planes_mut(&mut self) -> [&mut [u8]; 3] {
        let luma = self.luma_len();
        let (y, chroma) = self.data.split_at_mut(luma);
        let (u, v) = chroma.split_at_mut(luma / 4);
        [y, u, v]
    }

    fn luma_len(&self) -> usize {
        self.width as usize * self.height as usize
    }
}
