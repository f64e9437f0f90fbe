//! The Python that tests need: the client of `clients/python` with its own tests, and schemathesis, in an environment of
//! their own under cargo's target directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::chores::{run, target_directory};
use crate::tools::is_on_path;

/// Walks an OpenAPI document and looks for answers that it does not allow.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// The client, from its own folder, with what its tests need.
const CLIENT: &str = "clients/python";
/// Tries at a package registry.
const TRIES: u32 = 3;

/// Where the environment is.
fn directory() -> PathBuf {
    target_directory().join("python")
}

/// Makes the environment, unless it is there already as it should be.
///
/// # Errors
/// When Python is missing, or a package cannot be had.
pub(crate) fn prepare() -> Result<(), String> {
    if !is_on_path("python3") {
        return Err("please install Python first: sudo apt-get install -y python3 python3-venv".to_owned());
    }
    let project = fs::read_to_string(Path::new(CLIENT).join("pyproject.toml")).map_err(|error| error.to_string())?;
    let wanted = format!("{SCHEMATHESIS}\n{project}");
    let stamp = directory().join("made-of");
    if fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == wanted) {
        return Ok(());
    }
    println!("xtask: making the Python environment in {}", directory().display());
    let venv = run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(directory()));
    venv.map_err(|error| format!("{error}; on Debian: sudo apt-get install -y python3-venv"))?;
    let client = format!("./{CLIENT}[test]");
    let install = || {
        let mut pip = Command::new(directory().join("bin/pip"));
        run(pip.args(["install", "--quiet", "--disable-pip-version-check", "--editable", &client, SCHEMATHESIS]))
    };
    let mut tries = 1;
    while let Err(error) = install() {
        if tries == TRIES {
            return Err(error);
        }
        println!("xtask: {error}; trying again");
        tries += 1;
    }
    fs::write(&stamp, wanted).map_err(|error| error.to_string())
}

/// Runs the client's own tests, against the node that was built.
///
/// # Errors
/// When one of them fails.
pub(crate) fn test() -> Result<(), String> {
    let python = fs::canonicalize(directory()).map_err(|error| error.to_string())?.join("bin/python");
    run(Command::new(python).args(["-m", "pytest", "-q"]).current_dir(CLIENT))
}

/// Types and style of the client.
///
/// # Errors
/// When something is found.
pub(crate) fn lint() -> Result<(), String> {
    let bin = fs::canonicalize(directory()).map_err(|error| error.to_string())?.join("bin");
    run(Command::new(bin.join("mypy")).current_dir(CLIENT))?;
    run(Command::new(bin.join("ruff")).args(["check", "."]).current_dir(CLIENT))?;
    run(Command::new(bin.join("ruff")).args(["format", "--check", "."]).current_dir(CLIENT))
}
