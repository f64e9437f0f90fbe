//! The chaos harness: a program of the tests package, and bugs that are planted to see that it finds them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::chores::{cargo, run, target_directory};

/// Patches of the product, each one bug.
const PLANTED: &str = "tests/chaos/planted";
/// Parts of the tree that are not copied: what is built, and what was committed.
const NOT_COPIED: [&str; 2] = ["target", ".git"];

/// Runs the harness; with `--plant NAME`, against a node with that bug, and then it must find something.
pub(crate) fn chaos(arguments: &[String]) -> Result<(), String> {
    let mut arguments = arguments.to_vec();
    let planted = match arguments.iter().position(|argument| argument == "--plant") {
        None => None,
        Some(at) if at + 1 < arguments.len() => {
            let name = arguments.remove(at + 1);
            arguments.remove(at);
            Some(name)
        }
        Some(_) => return Err(format!("--plant needs a name: one of those in {PLANTED}")),
    };
    // As the tests are built: nothing is compiled twice.
    cargo(&["build", "--release", "--workspace", "--bins"])?;
    let target = target_directory();
    let mut harness = Command::new(target.join("release/chaos"));
    let Some(name) = planted else { return run(harness.args(&arguments)) };
    let binary = plant(&name, &target)?;
    harness.args(&arguments).arg("--until-found").arg("--binary").arg(binary);
    let status = harness.status().map_err(|error| format!("{harness:?}: {error}"))?;
    match status.code() {
        Some(1) => {
            println!("xtask: the bug planted in {name} was found");
            Ok(())
        }
        Some(0) => Err(format!("the bug planted in {name} was not found")),
        _ => Err(format!("{harness:?} failed ({status})")),
    }
}

/// Builds a node with a bug, from a copy of the tree.
fn plant(name: &str, target: &Path) -> Result<PathBuf, String> {
    let patch = fs::canonicalize(Path::new(PLANTED).join(format!("{name}.patch")))
        .map_err(|error| format!("there is no bug called `{name}` in {PLANTED}: {error}"))?;
    let copy = target.join("planted").join(name);
    let told = |error: std::io::Error| format!("{}: {error}", copy.display());
    if copy.exists() {
        fs::remove_dir_all(&copy).map_err(told)?;
    }
    fs::create_dir_all(&copy).map_err(told)?;
    let entries = fs::read_dir(".").map_err(told)?.flatten();
    let kept = entries.filter(|entry| NOT_COPIED.iter().all(|name| entry.file_name() != *name));
    for entry in kept {
        run(Command::new("cp").arg("-a").arg(entry.path()).arg(&copy))?;
    }
    run(Command::new("patch").args(["--strip=1", "--input"]).arg(patch).current_dir(&copy))?;
    // One target folder for all bugs, so that what they share is compiled once.
    let built = fs::canonicalize(target.join("planted")).map_err(told)?.join("target");
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--workspace", "--bins"]).current_dir(&copy);
    run(build.env("CARGO_TARGET_DIR", &built))?;
    Ok(built.join("release/footlight"))
}
