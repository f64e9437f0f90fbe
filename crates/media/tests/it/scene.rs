//! A moving picture to encode: a bright disc on a gradient, at a place that the frame number gives.

use footlight_media::{EncodedVideo, ForceIdr, H264Encoder, I420View, RateControl, VideoSettings};

pub(crate) const WIDTH: u32 = 256;
pub(crate) const HEIGHT: u32 = 192;

/// Draws frame `number` as packed I420.
pub(crate) fn frame(number: usize) -> Vec<u8> {
    let (width, height) = (WIDTH as usize, HEIGHT as usize);
    let (centre_x, centre_y) = (40 + number * 5 % 170, 96 + number * 3 % 40);
    let mut data = vec![128; width * height * 3 / 2];
    for (index, luma) in data[..width * height].iter_mut().enumerate() {
        let (x, y) = (index % width, index / width);
        let (from_x, from_y) = (x.abs_diff(centre_x), y.abs_diff(centre_y));
        let inside = from_x * from_x + from_y * from_y < 30 * 30;
        *luma = if inside { 200 } else { (32 + x / 4 + y / 3) as u8 };
    }
    data
}

/// A frame of one shade.
pub(crate) fn plain(luma: u8) -> Vec<u8> {
    let (width, height) = (WIDTH as usize, HEIGHT as usize);
    let mut data = vec![128; width * height * 3 / 2];
    data[..width * height].fill(luma);
    data
}

pub(crate) fn encoder(fps: u32) -> H264Encoder {
    let rate = RateControl::ConstantQp(24);
    H264Encoder::new(VideoSettings { width: WIDTH, height: HEIGHT, fps, rate }).unwrap()
}

pub(crate) fn encode(encoder: &mut H264Encoder, data: &[u8], force_idr: ForceIdr) -> EncodedVideo {
    encoder.encode(I420View::packed(WIDTH, HEIGHT, data).unwrap(), force_idr).unwrap()
}
