//! A contact sheet: square pictures side by side, as a PNG for people.

use footlight_render::Frame;

/// What is behind pictures that are not there.
const EMPTY: u8 = 40;

/// A sheet under way.
pub(crate) struct Sheet {
    side: u32,
    columns: u32,
    rows: u32,
    /// Three bytes a pixel, sRGB, row by row.
    pixels: Vec<u8>,
}

impl Sheet {
    /// An empty one, of pictures of `side` pixels.
    pub(crate) fn new(side: u32, columns: u32, rows: u32) -> Self {
        let pixels = (side * columns) as usize * (side * rows) as usize;
        Self { side, columns, rows, pixels: vec![EMPTY; pixels * 3] }
    }

    /// Puts a frame of the sheet's `side` in its place, both counted from 0.
    pub(crate) fn put(&mut self, column: u32, row: u32, frame: &Frame) {
        debug_assert_eq!((frame.width(), frame.height()), (self.side, self.side));
        let width = (self.columns * self.side) as usize;
        for y in 0..self.side {
            let start = (row * self.side + y) as usize * width + (column * self.side) as usize;
            let line = &mut self.pixels[start * 3..][..self.side as usize * 3];
            for (x, pixel) in line.chunks_exact_mut(3).enumerate() {
                pixel.copy_from_slice(&frame.rgb(x as u32, y));
            }
        }
    }

    /// The file.
    pub(crate) fn png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.columns * self.side, self.rows * self.side);
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(file)
    }
}
