//! Options that several scenarios have.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};

/// The server under load: a relay, or one of NATS.
#[derive(Debug, Clone, Args)]
pub struct Server {
    /// A NATS server to run the same on instead.
    #[arg(long = "target", value_name = "nats://HOST:PORT", value_parser = nats_address)]
    pub nats: Option<SocketAddr>,
    /// The relay.
    #[command(flatten)]
    pub relay: Target,
}

/// Where the relay is and how agents get there.
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
    /// Leave the registered agents in the directory. Otherwise they are deleted at the end, unless a file keeps them.
    #[arg(long)]
    pub keep: bool,
    /// Seconds that registration may take in all, waits for a rate limit included.
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = positive)]
    pub register_timeout: f64,
}

/// How much is on its way.
#[derive(Debug, Clone, Args)]
pub struct Shape {
    /// Pairs of a caller and a callee.
    #[arg(long, default_value = "64", value_parser = at_least_one)]
    pub pairs: usize,
    /// Calls in flight per pair; at a rate, the most that may be.
    #[arg(long, default_value = "1", value_parser = at_least_one)]
    pub in_flight: usize,
    /// Bytes of a body.
    #[arg(long, default_value_t = 128)]
    pub size: usize,
}

/// Calls at a chosen rate.
#[derive(Debug, Clone, Args)]
pub struct Open {
    /// Calls per second in all, whether or not earlier ones were answered. A latency then begins when its call was
    /// meant to begin, so waiting counts. Without it each answer starts the next call.
    #[arg(long, value_name = "PER_SECOND", value_parser = positive)]
    pub rate: Option<f64>,
    /// The distances between such calls.
    #[arg(long, value_enum, default_value = "even", requires = "rate")]
    pub arrivals: Arrivals,
}

/// Distances between calls at a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Arrivals {
    /// All the same.
    Even,
    /// Exponentially distributed, as those of independent callers.
    Poisson,
}

/// Where many lines come from.
#[derive(Debug, Clone, Args)]
pub struct Sources {
    /// Loopback addresses (127.0.1.1 and on) that lines come from, if the server is on loopback; by default one for
    /// every 32 lines, at least 64. Each has its own ports and its own share of the server's bounds per address.
    #[arg(long, value_parser = at_least_one)]
    pub sources: Option<usize>,
}

impl Sources {
    /// How many for so many lines.
    pub fn number(&self, lines: usize) -> usize {
        self.sources.unwrap_or_else(|| lines.div_ceil(32).max(64))
    }
}

/// How a run is timed, watched and printed.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// Seconds that are measured.
    #[arg(long, default_value = "5", value_parser = positive)]
    pub seconds: f64,
    /// Seconds before, unmeasured, with everything up.
    #[arg(long, default_value = "1", value_parser = not_negative)]
    pub warmup: f64,
    /// Threads that make the load.
    #[arg(long, default_value = "1", value_parser = at_least_one)]
    pub threads: usize,
    /// The server's process: its CPU time (user and system) and resident memory are read from /proc.
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<u32>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Draw latency by percentile and throughput over time.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Where random choices begin: the same seed makes the same choices.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Exit with 1 after any error. Otherwise only if nothing worked.
    #[arg(long)]
    pub strict: bool,
}

fn nats_address(text: &str) -> anyhow::Result<SocketAddr> {
    let authority = text.strip_prefix("nats://").context("a target begins with nats://")?.trim_end_matches('/');
    let full = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:4222") };
    let mut found = full.to_socket_addrs().with_context(|| format!("cannot resolve {full}"))?;
    found.next().with_context(|| format!("{full} has no address"))
}

pub(super) fn at_least_one(text: &str) -> anyhow::Result<usize> {
    let number = text.parse().context("a whole number is wanted")?;
    ensure!(number > 0, "at least 1");
    Ok(number)
}

pub(super) fn positive(text: &str) -> anyhow::Result<f64> {
    let number = not_negative(text)?;
    ensure!(number > 0.0, "more than 0");
    Ok(number)
}

pub(super) fn not_negative(text: &str) -> anyhow::Result<f64> {
    let number: f64 = text.parse().context("a number is wanted")?;
    // A duration longer than this overflows nothing, and nobody measures for eleven days.
    ensure!((0.0..=1e6).contains(&number), "between 0 and 1000000");
    Ok(number)
}
