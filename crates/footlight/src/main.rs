//! The `footlight` binary: it names the concrete stores and renderers, puts the parts together and runs a command.

mod assembly;
mod audit;
mod avatars;
mod cli;
mod commands;
mod exit;
mod settings;
mod speech;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error),
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let global = &cli.global;
    match cli.command {
        Command::Demo(options) => commands::demo::run(global, &options),
        Command::Serve(options) => commands::serve::run(global, &options),
        Command::Render(options) => commands::render::run(global, &options),
        Command::Animate(options) => commands::animate::run(global, &options),
        Command::Session(session) => commands::session::run(global, session),
        Command::Node(node) => commands::node::run(global, node),
        Command::Top(options) => commands::top::run(global, &options),
        Command::Account(account) => commands::account::run(global, account),
        Command::Avatar(avatar) => commands::avatar::run(global, avatar),
        Command::Job(job) => commands::job::run(global, job),
        Command::Audit(options) => commands::audit::run(global, &options),
        Command::Migrate(options) => commands::migrate::run(global, &options),
        Command::Bench(bench) => commands::bench::run(global, &bench),
        Command::Config => commands::config::run(global),
    }
}
