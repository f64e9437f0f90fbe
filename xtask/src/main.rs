//! `cargo xtask`: the project's own chores. It needs nothing but a Rust toolchain, and installs or names the rest.

mod chaos;
mod chores;
mod python;
mod tools;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <chore>

  test [FILTER]   install what the tests need, build, run every test (release build)
  lint            rustfmt, clippy with warnings denied, rustdoc with warnings denied
  deny            licences, bans and sources of the dependencies (installs cargo-deny on first use)
  ci              lint, deny and test
  setup           only install what is missing
  crash [ARGS]    kill -9 a node at random moments and audit what was charged (see tests/README.md)
  chaos [ARGS]    faults by seeds on several nodes and a real Redis, judged by checkers (see tests/README.md)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (chore, rest) = match arguments.split_first() {
        Some((chore, rest)) => (chore.as_str(), rest),
        None => ("help", &[][..]),
    };
    let outcome = match chore {
        "test" => setup().and_then(|()| chores::test(rest)),
        "lint" => setup().and_then(|()| chores::lint()),
        "deny" => chores::deny(),
        "ci" => setup().and_then(|()| chores::lint()).and_then(|()| chores::deny()).and_then(|()| chores::test(&[])),
        "setup" => setup(),
        "crash" => tools::install_missing().and_then(|()| chores::crash(rest)),
        "chaos" => tools::install_missing().and_then(|()| chaos::chaos(rest)),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        other => Err(format!("there is no chore called `{other}`\n\n{USAGE}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Programs, and the Python environment.
fn setup() -> Result<(), String> {
    tools::install_missing()?;
    python::prepare()
}
