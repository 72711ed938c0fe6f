//! The command line: servers (`up`, `exchange`, `switch`), the operator's tools (`node`, `admin`, `report`, `backup`,
//! `restore`) and clients (`agent`, `expose`, `dial`, `call`, `status`).
//!
//! | module | what it does |
//! |---|---|
//! | [`args`] | the commands and their help |
//! | [`config`] | settings of the servers: flags, environment, file; all mistakes at once |
//! | [`commands`] | one file per command |
//! | [`carry`] | HTTP calls carried unchanged between a local port and the relay |
//! | [`server`] | what the servers share: data directory, addresses, admin listener, readiness, signals |
//! | [`files`] | small private files: identities, tokens |
//! | [`outcome`] | how a command ends: its exit code and its last words |

pub mod args;
pub mod carry;
pub mod commands;
pub mod config;
pub mod files;
pub mod outcome;
pub mod server;

use std::process::ExitCode;

use clap::Parser;

use args::Cli;
use outcome::Outcome;

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    // Fails only if a provider was chosen before, which nobody does.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let outcome = match Cli::try_parse() {
        Ok(cli) => commands::dispatch(cli.command),
        Err(usage) => Outcome::Usage(usage),
    };
    outcome.end()
}
