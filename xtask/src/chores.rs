//! What `cargo xtask` does, as calls to cargo. Everything is built in the release profile: the tests run what
//! people run, and nothing is compiled twice.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::python;
use crate::tools::is_on_path;

/// Where cargo builds.
pub(crate) fn target_directory() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from)
}

/// Builds and runs every test; those of the Python client too, unless a filter names some.
pub(crate) fn test(filter: &[String]) -> Result<(), String> {
    // One call, so that one set of features is built. Cargo builds the binary too, which the integration tests start
    // as a process of its own: `crates/footlight` has tests that need it.
    let mut arguments = vec!["test", "--release", "--workspace", "--no-fail-fast"];
    arguments.extend(filter.iter().map(String::as_str));
    let tested = cargo(&arguments);
    if !filter.is_empty() {
        return tested;
    }
    // All of it is told, whatever failed first.
    let python_tested = python::test();
    tested.and(python_tested)
}

/// rustfmt, clippy and rustdoc, warnings denied; mypy and ruff on the Python client.
pub(crate) fn lint() -> Result<(), String> {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    let mut doc = Command::new("cargo");
    doc.args(["doc", "--release", "--workspace", "--no-deps", "--document-private-items"]);
    run(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    python::lint()
}

/// Checks the dependencies.
pub(crate) fn deny() -> Result<(), String> {
    if !is_on_path("cargo-deny") {
        println!("xtask: cargo-deny is missing; building it, once");
        cargo(&["install", "--locked", "cargo-deny"])?;
    }
    cargo(&["deny", "check"])
}

/// The crash test: a program of the tests package.
pub(crate) fn crash(arguments: &[String]) -> Result<(), String> {
    cargo(&["build", "--release", "--package", "footlight"])?;
    let mut all = vec!["run", "--release", "--package", "footlight-tests", "--bin", "crash", "--"];
    all.extend(arguments.iter().map(String::as_str));
    cargo(&all)
}

/// Runs cargo.
pub(crate) fn cargo(arguments: &[&str]) -> Result<(), String> {
    run(Command::new("cargo").args(arguments))
}

/// Runs a command whose output is for people.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed ({status})")) }
}
