//! Exit codes, and how an error is told.

use std::process::ExitCode;

/// What a command's failure means to whoever called it; see `footlight --help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Failure {
    /// Anything else.
    Failed = 1,
    /// Wrong usage or settings.
    Usage = 2,
    /// Not enough credits.
    Credits = 3,
    /// The node or the store cannot be reached.
    Unreachable = 4,
    /// The audit does not balance, or stores that should be equal are not.
    Unbalanced = 5,
    /// Refused as things are; nothing was changed.
    Refused = 6,
}

/// An error that knows its exit code.
#[derive(Debug)]
pub(crate) struct Coded {
    failure: Failure,
    message: String,
}

impl std::fmt::Display for Coded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Coded {}

/// An error with an exit code of its own.
pub(crate) fn coded(failure: Failure, message: impl Into<String>) -> anyhow::Error {
    Coded { failure, message: message.into() }.into()
}

/// Tells an error on standard error, cause by cause, and answers its exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("footlight: {error:#}");
    let failure = error.chain().find_map(|cause| cause.downcast_ref::<Coded>()).map(|coded| coded.failure);
    ExitCode::from(failure.unwrap_or(Failure::Failed) as u8)
}
