//! One file per command.

mod admin;
mod ask;
mod backup;
mod call;
mod dial;
mod echo;
mod exchange;
mod expose;
mod membership;
mod node;
mod report;
mod restore;
mod status;
mod switch;
mod up;

use std::future::Future;

use anyhow::{Context, Result};

use clap::CommandFactory;

use crate::args::{AgentCommand, Cli, Command};
use crate::outcome::Outcome;

/// Runs a command to its end.
pub fn dispatch(command: Command) -> Outcome {
    match command {
        Command::Up(args) => up::run(&args.flags).into(),
        Command::Exchange(args) => exchange::run(&args.flags).into(),
        Command::Switch(args) => switch::run(&args.flags).into(),
        Command::Node { command } => node::run(command).into(),
        Command::Agent { command: AgentCommand::Echo(args) } => echo::run(args),
        Command::Expose(args) => expose::run(args),
        Command::Dial(args) => dial::run(args),
        Command::Call(args) => call::run(args),
        Command::Status(args) => status::run(&args),
        Command::Backup(args) => backup::run(&args).into(),
        Command::Restore(args) => restore::run(&args).into(),
        Command::Report(args) => report::run(&args).into(),
        Command::Admin { ask, command } => admin::run(&ask, command).into(),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "landline", &mut std::io::stdout());
            Outcome::Done
        }
    }
}

/// Runs a client's work on this thread.
fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?.block_on(work)
}
