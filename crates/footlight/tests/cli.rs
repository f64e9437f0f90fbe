//! The command line as people and scripts meet it.
//!
//! These tests also make cargo build the binary with the same features as everything else that is tested.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn footlight(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_footlight"));
    // Whatever the machine's environment sets is not what is tested.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FOOTLIGHT_")) {
        command.env_remove(name);
    }
    command.args(arguments).output().expect("the binary was built with this test")
}

fn speech(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/speech").join(name)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let said = text(&footlight(&["--help"]).stdout);
    for word in [
        "demo",
        "serve",
        "render",
        "animate",
        "session",
        "node",
        "top",
        "account",
        "audit",
        "bench",
        "config",
        "Exit codes",
    ] {
        assert!(said.contains(word), "`{word}` is not in:\n{said}");
    }
}

#[test]
fn config_says_where_each_setting_came_from() {
    let output = footlight(&["config", "--store", "redis://127.0.0.1:6379/3"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    let line = |key: &str| said.lines().find(|line| line.trim_start().starts_with(key)).unwrap_or_default().to_owned();
    assert!(line("store ").contains("redis://127.0.0.1:6379/3"), "{said}");
    assert!(line("store ").contains("command line"), "{said}");
    assert!(line("metering.heartbeat ").contains("defaults"), "{said}");
    assert!(said.contains("encoder assembly"), "{said}");
}

#[test]
fn a_wrong_settings_file_is_a_usage_error_that_names_file_and_key() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("mine.toml");
    std::fs::write(&file, "[metering]\nheart_beat = \"5s\"\n").expect("the file can be written");
    let output = footlight(&["config", "--config", &file.to_string_lossy()]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("heart_beat") && said.contains("mine.toml"), "{said}");

    let missing = footlight(&["config", "--config", "no-such-file.toml"]);
    assert_eq!(missing.status.code(), Some(2), "{}", text(&missing.stderr));
}

#[test]
fn animate_gives_one_line_a_frame_by_the_standard_names() {
    let file = speech("hello.wav");
    let output = footlight(&["animate", &file.to_string_lossy(), "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    let frames: Vec<Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect();
    // 16 kHz, 16 bits, 44 bytes of header: 2.299 s are 58 frames.
    let samples = (std::fs::metadata(&file).expect("the speech is there").len() - 44) / 2;
    assert_eq!(frames.len() as u64, (samples * 25).div_ceil(16_000));
    let jaw: Vec<f64> = frames.iter().filter_map(|frame| frame["weights"]["jawOpen"].as_f64()).collect();
    assert_eq!(jaw.len(), frames.len());
    assert!(jaw.iter().all(|weight| (0.0..=1.0).contains(weight)), "{jaw:?}");
    assert!(jaw.iter().any(|weight| *weight > 0.2), "the mouth never opens: {jaw:?}");
    assert_eq!(frames[1]["t_ms"].as_f64(), Some(40.0));
    assert_eq!(frames[0]["weights"].as_object().map(serde_json::Map::len), Some(52));
}

#[test]
fn render_makes_a_video_of_exactly_the_speech() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let video = directory.path().join("hello.mp4");
    let hello = speech("hello.wav");
    let output = footlight(&["render", &hello.to_string_lossy(), "-o", &video.to_string_lossy(), "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let made: Value = serde_json::from_slice(&output.stdout).expect("--json prints JSON");
    assert_eq!(made["frames"], 58, "{made}");
    assert!(std::fs::metadata(&video).is_ok_and(|file| file.len() > 10_000), "{made}");
}

#[test]
fn files_that_cannot_be_spoken_are_named() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let garbage = directory.path().join("garbage.wav");
    std::fs::write(&garbage, [7; 3_000]).expect("the file can be written");
    for (file, word) in [(garbage.as_path(), "garbage.wav"), (Path::new("nothing-here.wav"), "nothing-here.wav")] {
        let output = footlight(&["animate", &file.to_string_lossy()]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn where_there_are_no_books_nothing_is_said_to_balance() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let empty = directory.path().join("empty");
    let output = footlight(&["audit", "--data-dir", &empty.to_string_lossy()]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no books in") && said.contains("--data-dir"), "{said}");
    assert!(!empty.exists(), "looking made a store");
}

#[test]
fn a_node_that_is_not_there_has_an_exit_code_of_its_own() {
    // Nothing listens on port 1 of loopback.
    let output = footlight(&["account", "list", "--admin-url", "http://127.0.0.1:1", "--admin-token", "x"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("footlight serve"), "{said}");
}
