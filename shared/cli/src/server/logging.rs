//! Structured logs on stderr; stdout belongs to `ready`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{Log, LogFormat};

/// Starts the log. A second start in one process changes nothing.
pub fn start(log: &Log) {
    // Checked with the other settings; libraries that chatter at info are held at warn unless asked for by name.
    let filter = EnvFilter::new(format!("sqlx=warn,quinn=warn,hyper=warn,reqwest=warn,rustls=warn,{}", log.level));
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = match log.format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
