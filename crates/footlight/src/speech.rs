//! Audio files on the command line, as the stage takes them.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

/// The longest file that `render` and `animate` take, in seconds.
const SECONDS_MAX: u32 = 3 * 3600;

/// Reads an audio file: 48 kHz, mono.
///
/// # Errors
/// With the file's name and what is wrong with it.
pub(crate) fn read(path: &Path) -> anyhow::Result<Arc<[i16]>> {
    let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    decode(bytes, &path.display().to_string())
}

/// Decodes a whole file; `name` is what it is called in messages.
///
/// # Errors
/// With the name and what is wrong with it.
pub(crate) fn decode(bytes: Vec<u8>, name: &str) -> anyhow::Result<Arc<[i16]>> {
    footlight_stage::ear::decode(bytes.into(), None, SECONDS_MAX).with_context(|| format!("{name} cannot be spoken"))
}
