//! One file per command.

pub(crate) mod account;
pub(crate) mod animate;
pub(crate) mod audit;
pub(crate) mod avatar;
pub(crate) mod bench;
pub(crate) mod config;
pub(crate) mod demo;
mod http;
pub(crate) mod job;
mod meter;
pub(crate) mod migrate;
pub(crate) mod node;
mod print;
mod recording;
pub(crate) mod render;
pub(crate) mod serve;
pub(crate) mod session;
mod socket;
pub(crate) mod top;
mod viewer;
mod watch;

use crate::cli::Global;
use crate::exit::{Failure, coded};
use crate::settings::{self, Loaded};

/// The settings of a command: defaults, files, environment, then its flags.
///
/// # Errors
/// With exit code 2 when something is wrong with them.
fn settings_for(global: &Global, flags: &[(&str, Option<String>)]) -> anyhow::Result<Loaded> {
    let mut overrides = Vec::new();
    if let Some(store) = &global.store {
        overrides.push(("store", settings::flag(store)));
    }
    if let Some(directory) = &global.data_dir {
        overrides.push(("data_dir", settings::flag(&directory.to_string_lossy())));
    }
    for (key, value) in flags {
        if let Some(value) = value {
            overrides.push((key, settings::flag(value)));
        }
    }
    let usual = settings::usual_file(std::path::Path::new("."));
    let files: Vec<_> = usual.into_iter().chain(global.config.iter().cloned()).collect();
    settings::load(&files, &overrides).map_err(|error| coded(Failure::Usage, format!("{error:#}")))
}

/// Runs a future to its end on a small runtime, for commands that only talk to a node.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}
