//! An uploaded picture, decoded inside limits.

use std::io::Cursor;

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::PortraitError;
use super::exif;

/// The most bytes of a picture file.
pub const FILE_BYTES_MAX: u64 = 16 << 20;
/// The most pixels of a picture.
pub const PIXELS_MAX: u64 = 25_000_000;

/// What the PNG decoder may hold besides the pixels themselves.
const DECODER_BYTES_MAX: usize = 16 << 20;
/// The most scans of a progressive JPEG: each goes over the whole picture, and a small file can hold very many.
const SCANS_MAX: usize = 32;

/// What lies behind the clear parts of a picture.
const GREY: u32 = 128;

/// RGB, 8 bits a channel, sRGB, row-major.
#[derive(Debug, Clone)]
pub(super) struct Photo {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Three bytes a pixel, as decoded: large pictures are not copied.
    bytes: Vec<u8>,
}

impl Photo {
    /// The pixels, row after row.
    pub(super) fn pixels(&self) -> &[[u8; 3]] {
        self.bytes.as_chunks().0
    }
}

/// Decodes a PNG or a JPEG; sizes are looked at before anything is unpacked.
pub(super) fn decode(bytes: &[u8]) -> Result<Photo, PortraitError> {
    let found = bytes.len() as u64;
    if found > FILE_BYTES_MAX {
        return Err(PortraitError::FileTooLarge { found, limit: FILE_BYTES_MAX });
    }
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        decode_png(bytes)
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        decode_jpeg(bytes)
    } else {
        Err(PortraitError::NotAPicture)
    }
}

fn check_pixels(width: u64, height: u64) -> Result<(), PortraitError> {
    // Either side may be anything that a header can say.
    if width.checked_mul(height).is_none_or(|pixels| pixels > PIXELS_MAX) {
        return Err(PortraitError::TooManyPixels { width, height, limit: PIXELS_MAX });
    }
    Ok(())
}

fn damaged(error: impl std::fmt::Display) -> PortraitError {
    let text: String = error.to_string().chars().filter(|c| !c.is_control()).take(120).collect();
    PortraitError::Damaged(text)
}

fn decode_png(bytes: &[u8]) -> Result<Photo, PortraitError> {
    let limits = png::Limits { bytes: DECODER_BYTES_MAX };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let info = reader.info();
    let (width, height) = (info.width, info.height);
    check_pixels(width.into(), height.into())?;
    if let Some(turned) = info.exif_metadata.as_deref().and_then(exif::orientation).filter(|&o| o != 1) {
        return Err(PortraitError::StoredTurned(turned));
    }
    let size = reader.output_buffer_size().ok_or_else(|| damaged("it is too large"))?;
    let mut raw = vec![0; size];
    let frame = reader.next_frame(&mut raw).map_err(damaged)?;
    raw.truncate(frame.buffer_size());
    let over = |c: u8, alpha: u8| {
        let alpha = u32::from(alpha);
        ((u32::from(c) * alpha + GREY * (255 - alpha) + 127) / 255) as u8
    };
    let bytes: Vec<u8> = match frame.color_type {
        png::ColorType::Rgba => raw.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]].map(|c| over(c, p[3]))).collect(),
        png::ColorType::Rgb => raw,
        png::ColorType::GrayscaleAlpha => raw.chunks_exact(2).flat_map(|p| [over(p[0], p[1]); 3]).collect(),
        png::ColorType::Grayscale => raw.iter().flat_map(|&grey| [grey; 3]).collect(),
        png::ColorType::Indexed => return Err(damaged("its palette cannot be expanded")),
    };
    whole(width as usize, height as usize, bytes)
}

fn decode_jpeg(bytes: &[u8]) -> Result<Photo, PortraitError> {
    let options = DecoderOptions::default()
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_max_scans(SCANS_MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(damaged)?;
    let (width, height) = decoder.dimensions().ok_or_else(|| damaged("it does not say its size"))?;
    check_pixels(width as u64, height as u64)?;
    if let Some(turned) = decoder.exif().and_then(|exif| exif::orientation(exif)).filter(|&o| o != 1) {
        return Err(PortraitError::StoredTurned(turned));
    }
    let raw = decoder.decode().map_err(damaged)?;
    whole(width, height, raw)
}

fn whole(width: usize, height: usize, bytes: Vec<u8>) -> Result<Photo, PortraitError> {
    if width == 0 || bytes.len() != width * height * 3 {
        return Err(damaged("it ends too early"));
    }
    Ok(Photo { width, height, bytes })
}
