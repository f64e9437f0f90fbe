//! The programs that building and testing need beside Rust, and how to get them.

use std::path::Path;
use std::process::{Command, Stdio};

/// A program, why it is needed, and the Debian package that has it.
struct Tool {
    program: &'static str,
    package: &'static str,
    why: &'static str,
}

const TOOLS: [Tool; 9] = [
    Tool { program: "cc", package: "gcc", why: "SQLite is C" },
    Tool { program: "c++", package: "g++", why: "the H.264 encoder is C++" },
    Tool { program: "nasm", package: "nasm", why: "the H.264 encoder is three times slower without its assembly" },
    Tool { program: "redis-server", package: "redis-server", why: "the Redis store is tested against a real one" },
    Tool { program: "openssl", package: "openssl", why: "certificates are made for a Redis that speaks TLS" },
    Tool { program: "ffmpeg", package: "ffmpeg", why: "streams and files are checked by a decoder we did not write" },
    Tool { program: "promtool", package: "prometheus", why: "the metrics page is checked by Prometheus' own tool" },
    Tool { program: "python3", package: "python3-venv", why: "the Python client and peers in Python are tested" },
    Tool { program: "faketime", package: "faketime", why: "the clocks of nodes are set while sessions speak" },
];

/// Installs what is missing (as root on Debian), or says in one line what to install.
///
/// # Errors
/// When something is missing and could not be installed.
pub(crate) fn install_missing() -> Result<(), String> {
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !is_on_path(tool.program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for tool in &missing {
        println!("xtask: {} is missing: {}", tool.program, tool.why);
    }
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    if !(is_root() && is_on_path("apt-get")) {
        return Err(format!("please install these first: sudo apt-get install -y {}", packages.join(" ")));
    }
    println!("xtask: installing {}", packages.join(" "));
    run_quietly(Command::new("apt-get").args(["update", "-qq"]))?;
    run_quietly(
        Command::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(&packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )?;
    if let Some(tool) = missing.iter().find(|tool| !is_on_path(tool.program)) {
        return Err(format!("{} was installed, and {} is still not there", tool.package, tool.program));
    }
    if missing.iter().any(|tool| tool.program == "nasm") {
        // Cargo does not know that the encoder looked for an assembler; what it made without one must go.
        run_quietly(Command::new("cargo").args(["clean", "--release", "--package", "openh264-sys2"]))?;
    }
    Ok(())
}

/// Whether a program of this name is on the path.
pub(crate) fn is_on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

fn is_root() -> bool {
    // The owner of this process' own entry is its effective user; no crate needed for one number.
    use std::os::unix::fs::MetadataExt;
    Path::new("/proc/self").metadata().is_ok_and(|entry| entry.uid() == 0)
}

fn run_quietly(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
