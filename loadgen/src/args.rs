//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Load on a Landline server.
#[derive(Debug, Parser)]
#[command(name = "landline-loadgen", version, max_term_width = 100)]
pub struct Cli {
    /// What to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The scenarios.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Pairs of agents that call each other, or HTTP callers that call agents, in a closed loop.
    Calls(CallsArgs),
    /// Lines that are up and silent.
    Idle(IdleArgs),
    /// The raw floor's clients: the bytes and messages of `calls`, relayed by `raw-server` without a thought.
    Raw(RawArgs),
    /// The raw floor's server: one core that passes bytes between pairs of connections.
    RawServer(RawServerArgs),
}

/// Where the server is and how agents get there.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// The server, such as http://127.0.0.1:7300.
    #[arg(long, env = "LANDLINE_URL", default_value = "http://127.0.0.1:7300")]
    pub url: String,
    /// Certificates (PEM) to trust, for an https URL.
    #[arg(long, value_name = "FILE", env = "LANDLINE_CA")]
    pub ca: Option<PathBuf>,
    /// The API's prefix.
    #[arg(long, default_value = "/connect")]
    pub prefix: String,
    /// File with the admin token, sent at registration so that no rate limit counts it. Without it start the server
    /// with `--rate-limits off`.
    #[arg(long, value_name = "FILE")]
    pub admin_token_file: Option<PathBuf>,
    /// Keeps registered agents (ids and keys, mode 0600) and takes them from there in the next run.
    #[arg(long, value_name = "FILE")]
    pub agents_file: Option<PathBuf>,
}

/// How a run is shaped and watched.
#[derive(Debug, Clone, Args)]
pub struct Shape {
    /// Pairs of a caller and a callee.
    #[arg(long, default_value_t = 64)]
    pub pairs: usize,
    /// Calls in flight per pair.
    #[arg(long, default_value_t = 1)]
    pub in_flight: usize,
    /// Bytes of a body.
    #[arg(long, default_value_t = 128)]
    pub size: usize,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// Seconds before, unmeasured.
    #[arg(long, default_value_t = 1.0)]
    pub warmup: f64,
    /// Threads that make the load.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Process whose CPU time (user and system, from /proc) is divided by the messages it relayed.
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<u32>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// How calls enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Via {
    /// `call` frames over the caller's own line.
    Ws,
    /// `POST /relay/{id}`, one kept connection per call in flight.
    Http,
}

/// `calls`
#[derive(Debug, Clone, Args)]
pub struct CallsArgs {
    /// How calls enter.
    #[arg(long, value_enum, default_value = "ws")]
    pub via: Via,
    /// Where to.
    #[command(flatten)]
    pub target: Target,
    /// The load.
    #[command(flatten)]
    pub shape: Shape,
}

/// `idle`
#[derive(Debug, Clone, Args)]
pub struct IdleArgs {
    /// Lines to open, each by an agent of its own.
    #[arg(long, default_value_t = 1_000)]
    pub lines: usize,
    /// Loopback addresses (127.0.1.1 and on) that the lines come from; each has at most one upgrade under way.
    #[arg(long, default_value_t = 64)]
    pub sources: u16,
    /// Seconds between the last line and the measurement.
    #[arg(long, default_value_t = 3.0)]
    pub settle: f64,
    /// Seconds to stay and watch the CPU time.
    #[arg(long, default_value_t = 0.0)]
    pub hold: f64,
    /// Process whose memory is read from /proc.
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<u32>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Where to.
    #[command(flatten)]
    pub target: Target,
}

/// `raw`
#[derive(Debug, Clone, Args)]
pub struct RawArgs {
    /// The raw server.
    #[arg(long)]
    pub addr: SocketAddr,
    /// The load. A message has the bytes of a `call` frame with such a body.
    #[command(flatten)]
    pub shape: Shape,
}

/// `raw-server`
#[derive(Debug, Clone, Args)]
pub struct RawServerArgs {
    /// Where to listen; port 0 is free choice. The first line on stdout is `ready ADDR`.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
}
