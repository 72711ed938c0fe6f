//! What the servers share: the data directory, addresses, logs, signals, the admin listener, readiness, certificates,
//! and one module per plane.

pub mod address;
pub mod admin;
pub mod data_dir;
pub mod exchange;
pub mod logging;
pub mod ready;
mod self_signed;
pub mod signals;
pub mod switch;
pub mod tls;

use std::future::Future;

use anyhow::{Context, Result};

use crate::config::{self, Flags, Mistakes, Server};

/// Reads the settings of a command from its flags, the environment and the file.
///
/// # Errors
/// Every mistake of every layer.
pub fn settings<const SCOPE: u8>(flags: &Flags<SCOPE>) -> Result<Server, Mistakes> {
    config::load(flags, &config::environment(), &config::read_file)
}

/// Reads the settings of a server and starts its log.
///
/// # Errors
/// Every mistake of every layer.
pub fn begin<const SCOPE: u8>(flags: &Flags<SCOPE>) -> Result<Server> {
    let settings = settings(flags)?;
    logging::start(&settings.log);
    for remark in &settings.remarks {
        tracing::warn!("{remark}");
    }
    if let Some(path) = &settings.config_file {
        tracing::info!(path = %path.display(), "settings file");
    }
    Ok(settings)
}

/// Runs a server to its end on two worker threads: the exchange waits for its database and the network, the calls
/// themselves run on the switch's own threads.
///
/// # Errors
/// What the server says, or the system refuses threads.
pub fn run(server: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("exchange")
        .enable_all()
        .build()
        .context("cannot start threads")?;
    let result = runtime.block_on(server);
    // Whatever still runs was asked to stop and has had its time.
    runtime.shutdown_background();
    result
}
