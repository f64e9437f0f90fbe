//! PNG pictures, decoded inside a limit.

use std::io::Cursor;

use super::error::EntryFault;
use super::parts::Image;

/// What the decoder may hold besides the pixels themselves.
const DECODER_BYTES_MAX: usize = 1 << 20;

/// Decodes a PNG of any colour type to RGBA, refusing more than `pixels_max` pixels before they are unpacked.
pub(super) fn decode(bytes: &[u8], pixels_max: u64) -> Result<Image, EntryFault> {
    let limits = png::Limits { bytes: DECODER_BYTES_MAX + 8 * usize::try_from(pixels_max).unwrap_or(usize::MAX / 16) };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let (width, height) = (reader.info().width, reader.info().height);
    if u64::from(width) * u64::from(height) > pixels_max {
        return Err(EntryFault::Invalid(format!(
            "is a picture of {width}x{height}; at most {pixels_max} pixels are left for it"
        )));
    }
    let size = reader.output_buffer_size().ok_or_else(|| EntryFault::Invalid("is too large a picture".to_owned()))?;
    let mut raw = vec![0; size];
    let info = reader.next_frame(&mut raw).map_err(damaged)?;
    raw.truncate(info.buffer_size());
    let pixels = match info.color_type {
        png::ColorType::Rgba => raw.chunks_exact(4).map(|p| [p[0], p[1], p[2], p[3]]).collect(),
        png::ColorType::Rgb => raw.chunks_exact(3).map(|p| [p[0], p[1], p[2], 255]).collect(),
        png::ColorType::GrayscaleAlpha => raw.chunks_exact(2).map(|p| [p[0], p[0], p[0], p[1]]).collect(),
        png::ColorType::Grayscale => raw.iter().map(|&grey| [grey, grey, grey, 255]).collect(),
        png::ColorType::Indexed => return Err(EntryFault::Invalid("has a palette that cannot be expanded".to_owned())),
    };
    Ok(Image { width, height, pixels })
}

fn damaged(error: png::DecodingError) -> EntryFault {
    EntryFault::Damaged(error.to_string())
}

/// Encodes a PNG: grey or without coverage where nothing is lost by that.
pub(super) fn encode(image: &Image) -> Result<Vec<u8>, EntryFault> {
    if image.pixels.is_empty() || image.pixels.len() as u64 != u64::from(image.width) * u64::from(image.height) {
        return Err(EntryFault::Invalid(format!("is not a picture of {}x{}", image.width, image.height)));
    }
    let solid = image.pixels.iter().all(|pixel| pixel[3] == u8::MAX);
    let grey = solid && image.pixels.iter().all(|[r, g, b, _]| r == g && g == b);
    let (colour, channels) = match (grey, solid) {
        (true, _) => (png::ColorType::Grayscale, 1),
        (false, true) => (png::ColorType::Rgb, 3),
        (false, false) => (png::ColorType::Rgba, 4),
    };
    let raw: Vec<u8> = image.pixels.iter().flat_map(|pixel| pixel[..channels].iter().copied()).collect();
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, image.width, image.height);
    encoder.set_color(colour);
    encoder.set_compression(png::Compression::Balanced);
    let failed = |error: png::EncodingError| EntryFault::Invalid(error.to_string());
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&raw).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(out)
}
