//! ffmpeg and ffprobe, the judges of what this crate writes and the makers of what it reads.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Returns whether ffmpeg and ffprobe are there, and says loudly that the test proves nothing if they are not.
pub(crate) fn tools_missing(test: &str) -> bool {
    static MISSING: OnceLock<Vec<&str>> = OnceLock::new();
    let missing = MISSING.get_or_init(|| {
        let is_missing = |tool: &&str| Command::new(tool).arg("-version").output().is_err();
        ["ffmpeg", "ffprobe"].into_iter().filter(is_missing).collect()
    });
    if !missing.is_empty() {
        eprintln!("SKIPPED {test}: {} not found; install ffmpeg to run it", missing.join(" and "));
    }
    !missing.is_empty()
}

/// Runs ffmpeg on words split at spaces, with `path`s in the place of `{}`, and returns its standard output.
pub(crate) fn ffmpeg(words: &str, paths: &[&Path]) -> Vec<u8> {
    succeed("ffmpeg", &format!("-nostdin -hide_banner -y -loglevel error {words}"), paths).stdout
}

/// Decodes a file and fails on the smallest complaint.
pub(crate) fn decodes_without_a_word(path: &Path) {
    let words = "-nostdin -loglevel warning -err_detect explode -xerror -i {} -f null -";
    let output = succeed("ffmpeg", words, &[path]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.is_empty(), "ffmpeg about {}: {said}", path.display());
}

/// Asks ffprobe for `entries` of stream `stream` and returns the values, in the order of ffprobe, not of asking.
pub(crate) fn probe(path: &Path, stream: &str, entries: &str) -> Vec<String> {
    let words =
        format!("-v error -count_packets -select_streams {stream} -show_entries {entries} -of default=nk=1:nw=1 {{}}");
    let output = succeed("ffprobe", &words, &[path]);
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn succeed(tool: &str, words: &str, paths: &[&Path]) -> Output {
    let mut paths = paths.iter();
    let mut command = Command::new(tool);
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        match word {
            "{}" => command.arg(paths.next().expect("a path for every {}")),
            word => command.arg(word),
        };
    }
    let output = command.output().expect("the tool was found before");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {said}");
    output
}
