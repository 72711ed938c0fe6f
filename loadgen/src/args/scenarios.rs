//! Options of each scenario.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::ensure;
use clap::{Args, ValueEnum};

use super::shared::{Open, Run, Server, Shape, Sources, Target, at_least_one, positive};

/// How calls enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Via {
    /// `call` frames over the caller's own line.
    Ws,
    /// `POST /relay/{id}`, one kept connection per call in flight.
    Http,
}

impl Via {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Http => "http",
        }
    }
}

/// `calls`
#[derive(Debug, Clone, Args)]
pub struct CallsArgs {
    /// How calls enter.
    #[arg(long, value_enum, default_value = "ws", conflicts_with = "nats")]
    pub via: Via,
    /// Where to.
    #[command(flatten)]
    pub server: Server,
    /// The load.
    #[command(flatten)]
    pub shape: Shape,
    /// At a rate.
    #[command(flatten)]
    pub open: Open,
    /// The run.
    #[command(flatten)]
    pub run: Run,
}

/// `stream`
#[derive(Debug, Clone, Args)]
pub struct StreamArgs {
    /// How calls enter.
    #[arg(long, value_enum, default_value = "ws", conflicts_with = "nats")]
    pub via: Via,
    /// Pairs of a caller and a callee.
    #[arg(long, default_value = "16", value_parser = at_least_one)]
    pub pairs: usize,
    /// Streams in flight per pair.
    #[arg(long, default_value = "1", value_parser = at_least_one)]
    pub in_flight: usize,
    /// Parts of an answer.
    #[arg(long, default_value = "64", value_parser = at_least_one)]
    pub parts: usize,
    /// Bytes of a part, at most the window of 262144.
    #[arg(long, default_value = "256", value_parser = part_bytes)]
    pub size: usize,
    /// Milliseconds that an agent lets pass between parts; 0: as fast as it is let.
    #[arg(long, default_value_t = 0)]
    pub gap_ms: u64,
    /// Where to.
    #[command(flatten)]
    pub server: Server,
    /// The run.
    #[command(flatten)]
    pub run: Run,
}

/// `oneway`
#[derive(Debug, Clone, Args)]
pub struct OnewayArgs {
    /// Pairs of a sender and a receiver.
    #[arg(long, default_value = "16", value_parser = at_least_one)]
    pub pairs: usize,
    /// Messages on their way per pair: a relay takes 64 of one caller towards one line.
    #[arg(long, default_value = "64", value_parser = at_least_one)]
    pub in_flight: usize,
    /// Bytes of a message, 8 at least.
    #[arg(long, default_value = "128", value_parser = oneway_bytes)]
    pub size: usize,
    /// Where to.
    #[command(flatten)]
    pub server: Server,
    /// The run.
    #[command(flatten)]
    pub run: Run,
}

/// `idle`
#[derive(Debug, Clone, Args)]
pub struct IdleArgs {
    /// Lines to open, each by an agent of its own. They are measured for --seconds, beginning --warmup after the last.
    #[arg(long, default_value = "1000", value_parser = at_least_one)]
    pub lines: usize,
    /// Where from.
    #[command(flatten)]
    pub sources: Sources,
    /// Where to.
    #[command(flatten)]
    pub server: Server,
    /// The run.
    #[command(flatten)]
    pub run: Run,
}

/// What starts a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Trigger {
    /// All lines are cut from here, and dial again at that moment.
    Cut,
    /// Each line dials again when the server ends it: restart the server while this runs.
    Server,
}

/// `storm`
#[derive(Debug, Clone, Args)]
pub struct StormArgs {
    /// Lines, each by an agent of its own.
    #[arg(long, default_value = "1000", value_parser = at_least_one)]
    pub lines: usize,
    /// What starts the storm.
    #[arg(long, value_enum, default_value = "cut")]
    pub trigger: Trigger,
    /// Wait as the protocol asks of clients (full jitter, and what `drain` said) before each dial. Without it lines
    /// dial at once, and 100 to 300 ms after a failure.
    #[arg(long)]
    pub jitter: bool,
    /// Where from.
    #[command(flatten)]
    pub sources: Sources,
    /// Where to.
    #[command(flatten)]
    pub server: Server,
    /// The run. It ends when all lines are back, after --seconds at the latest.
    #[command(flatten)]
    pub run: Run,
}

/// `churn`
#[derive(Debug, Clone, Args)]
pub struct ChurnArgs {
    /// Agents whose lines come and go.
    #[arg(long, default_value = "64", value_parser = at_least_one)]
    pub lines: usize,
    /// Lines that are closed per second; each comes back after --away-ms.
    #[arg(long, default_value = "20", value_parser = positive)]
    pub churn: f64,
    /// Milliseconds that a line stays away.
    #[arg(long, default_value_t = 200)]
    pub away_ms: u64,
    /// Callers; each calls any of the lines of its thread.
    #[arg(long, default_value = "16", value_parser = at_least_one)]
    pub pairs: usize,
    /// Calls in flight per caller.
    #[arg(long, default_value = "1", value_parser = at_least_one)]
    pub in_flight: usize,
    /// Bytes of a body.
    #[arg(long, default_value_t = 128)]
    pub size: usize,
    /// Where to.
    #[command(flatten)]
    pub server: Server,
    /// At a rate.
    #[command(flatten)]
    pub open: Open,
    /// The run.
    #[command(flatten)]
    pub run: Run,
}

/// `mixed`: of 100 calls 80 have `--size` bytes, 12 have 4 KiB, 3 have 64 KiB, and 5 are answered with 20 parts of 256
/// bytes.
#[derive(Debug, Clone, Args)]
pub struct MixedArgs {
    /// How calls enter.
    #[arg(long, value_enum, default_value = "ws", conflicts_with = "nats")]
    pub via: Via,
    /// Idle lines beside the callers.
    #[arg(long, default_value_t = 200)]
    pub lines: usize,
    /// Where the idle lines come from.
    #[command(flatten)]
    pub sources: Sources,
    /// Where to.
    #[command(flatten)]
    pub server: Server,
    /// The load.
    #[command(flatten)]
    pub shape: Shape,
    /// At a rate.
    #[command(flatten)]
    pub open: Open,
    /// The run.
    #[command(flatten)]
    pub run: Run,
}

/// `slow`
#[derive(Debug, Clone, Args)]
pub struct SlowArgs {
    /// Readers that stop: in turns a caller (over HTTP, or on NATS) that leaves its stream unread, and an agent that
    /// leaves its calls unread.
    #[arg(long, default_value = "16", value_parser = at_least_one)]
    pub slow: usize,
    /// Where to.
    #[command(flatten)]
    pub server: Server,
    /// The others.
    #[command(flatten)]
    pub shape: Shape,
    /// They at a rate.
    #[command(flatten)]
    pub open: Open,
    /// The run. --seconds are measured twice: without the slow readers, and with them.
    #[command(flatten)]
    pub run: Run,
}

/// `register`
#[derive(Debug, Clone, Args)]
pub struct RegisterArgs {
    /// Agents to register. With --agents-file: so many that the file holds these.
    #[arg(long, default_value = "1000", value_parser = at_least_one)]
    pub agents: usize,
    /// Where to.
    #[command(flatten)]
    pub server: Target,
    /// The run: each thread registers over a connection of its own. It ends when all are registered, after --seconds at
    /// the latest.
    #[command(flatten)]
    pub run: Run,
}

/// `directory`
#[derive(Debug, Clone, Args)]
pub struct DirectoryArgs {
    /// Agents to register. They stay in the directory.
    #[arg(long, default_value = "10000", value_parser = at_least_one)]
    pub agents: usize,
    /// Write them to this file instead, one registration in each line.
    #[arg(long, value_name = "FILE")]
    pub dump: Option<PathBuf>,
    /// Where to.
    #[command(flatten)]
    pub server: Target,
    /// The run: each thread registers over a connection of its own. It ends when all are registered, after --seconds at
    /// the latest.
    #[command(flatten)]
    pub run: Run,
}

/// `search`
#[derive(Debug, Clone, Args)]
pub struct SearchArgs {
    /// Questions of each kind per second: searches, discoveries, facets.
    #[arg(long, value_name = "PER_SECOND", default_value = "50", value_parser = positive)]
    pub rate: f64,
    /// Rows of a search.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub limit: u32,
    /// Where to.
    #[command(flatten)]
    pub server: Target,
    /// The run: each thread asks over a connection of its own.
    #[command(flatten)]
    pub run: Run,
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
    /// The run.
    #[command(flatten)]
    pub run: Run,
}

/// `raw-server`
#[derive(Debug, Clone, Args)]
pub struct RawServerArgs {
    /// Where to listen; port 0 is free choice. The first line on stdout is `ready ADDR`.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
}

fn part_bytes(text: &str) -> anyhow::Result<usize> {
    let bytes = at_least_one(text)?;
    ensure!(bytes <= landline_wire::limits::WINDOW_BYTES, "a part is at most the window");
    Ok(bytes)
}

fn oneway_bytes(text: &str) -> anyhow::Result<usize> {
    let bytes = at_least_one(text)?;
    // A message's number is in its first bytes: that is how a receiver without an answer tells which one arrived.
    ensure!(bytes >= 8, "at least 8");
    Ok(bytes)
}
