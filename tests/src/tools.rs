//! Judges that we did not write: ffmpeg, ffprobe, promtool.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;

/// What ffprobe says of a file, every frame counted.
///
/// # Errors
/// When ffprobe is missing or finds a fault.
pub fn ffprobe(file: &Path) -> anyhow::Result<Value> {
    let arguments = ["-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json"];
    let output = Command::new("ffprobe").args(arguments).arg(file).output().context("apt-get install ffmpeg")?;
    ensure!(output.status.success(), "ffprobe: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// How many pictures are in a video, by decoding them.
///
/// # Errors
/// When ffprobe is missing or finds a fault.
pub fn frame_count(file: &Path) -> anyhow::Result<u64> {
    let streams = ffprobe(file)?;
    let streams = streams["streams"].as_array().context("streams")?;
    let video = streams.iter().find(|stream| stream["codec_type"] == "video").context("a video stream")?;
    Ok(video["nb_read_frames"].as_str().context("a count")?.parse()?)
}

/// Decodes an Annex-B stream; every error of the decoder is ours.
///
/// # Errors
/// With what ffmpeg said.
pub fn decode_h264(stream: &[u8]) -> anyhow::Result<()> {
    let arguments = ["-v", "warning", "-xerror", "-err_detect", "explode", "-f", "h264", "-i", "-", "-f", "null", "-"];
    let said = feed("ffmpeg", &arguments, stream)?;
    ensure!(said.is_empty(), "ffmpeg: {said}");
    Ok(())
}

/// `promtool check metrics` on a page.
///
/// # Errors
/// With what promtool said; it must be silent.
pub fn check_metrics(page: &str) -> anyhow::Result<()> {
    let said = feed("promtool", &["check", "metrics"], page.as_bytes())?;
    ensure!(said.is_empty(), "promtool: {said}");
    Ok(())
}

/// A sound file brought to another kind by ffmpeg.
///
/// # Errors
/// When ffmpeg cannot.
pub fn convert(file: &[u8], arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let from = tempfile::NamedTempFile::new()?;
    std::fs::write(from.path(), file)?;
    let path = from.path().to_str().context("a path in UTF-8")?;
    generate(&[&["-i", path][..], arguments].concat())
}

/// What ffmpeg makes of these arguments.
///
/// # Errors
/// When it cannot.
pub fn generate(arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let mut ffmpeg = Command::new("ffmpeg");
    let output = ffmpeg.args(["-v", "error", "-nostdin"]).args(arguments).arg("-").output();
    let output = output.context("ffmpeg cannot be started; `cargo xtask setup` installs it")?;
    ensure!(output.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

/// Runs a program on `input`; what it said, an error when it failed.
fn feed(program: &str, arguments: &[&str], input: &[u8]) -> anyhow::Result<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{program} cannot be started; `cargo xtask setup` installs it"))?;
    let mut stdin = child.stdin.take().context("its input is piped")?;
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output()?;
    let written = writer.join().expect("writing does not panic");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success() && written.is_ok(), "{program} failed ({}): {said}", output.status);
    Ok(said)
}
