//! `landline-peer`: what the switch is measured beside. Each peer speaks as much of the agents' protocol as
//! `landline-loadgen` needs to drive it, believes whoever dials, and so does less than the switch does.

mod across;
mod direct;
mod ring;
mod tungstenite;

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use landline_wire::ids::AgentId;

/// What the switch is measured beside. The first line on stdout is `ready ADDR`, or `ready http://ADDR`.
#[derive(Debug, Parser)]
#[command(name = "landline-peer", version)]
struct Cli {
    #[command(subcommand)]
    peer: Peer,
}

#[derive(Debug, Subcommand)]
enum Peer {
    /// The ordinary relay: tokio-tungstenite with its defaults, a channel and a writing task for each line. No
    /// authentication, no limits, no deadlines, no table of calls, no audit.
    Tungstenite(TungsteniteArgs),
    /// The floor of two cores for `landline-loadgen raw`: each core reads one end of every pair and writes the other
    /// end's socket itself. No parsing.
    Across(ListenArgs),
    /// Says which core of a switch holds each agent: ids on stdin, a number for each on stdout.
    Homes(HomesArgs),
    /// An agent without a relay: an HTTP server that gives the body of a POST back. It takes the agents' lines too and
    /// leaves them silent.
    Direct(ListenArgs),
}

#[derive(Debug, Args)]
struct ListenArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

#[derive(Debug, Args)]
struct TungsteniteArgs {
    #[command(flatten)]
    at: ListenArgs,
    /// Flush once for all messages that wait for a line, and not after each.
    #[arg(long)]
    batched: bool,
    /// Threads of tokio's runtime; with 1 it is the runtime of a single thread.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
}

#[derive(Debug, Args)]
struct HomesArgs {
    /// Cores of the switch.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    cores: u16,
}

impl HomesArgs {
    fn print(&self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        for line in std::io::stdin().lines() {
            let line = line?;
            let agent: AgentId = line.trim().parse().with_context(|| line.clone())?;
            writeln!(out, "{}", agent.home_core(self.cores.into()))?;
        }
        Ok(())
    }
}

impl ListenArgs {
    /// Binds and says so.
    fn bind(&self, scheme: &str) -> anyhow::Result<TcpListener> {
        let listener = TcpListener::bind(self.listen).with_context(|| format!("cannot listen on {}", self.listen))?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "ready {scheme}{}", listener.local_addr()?)?;
        out.flush()?;
        Ok(listener)
    }
}

fn main() -> ExitCode {
    let served = match Cli::parse().peer {
        Peer::Tungstenite(args) => {
            args.at.bind("http://").and_then(|listener| tungstenite::serve(listener, args.threads, args.batched))
        }
        Peer::Across(args) => args.bind("").and_then(|listener| across::serve(&listener)),
        Peer::Homes(args) => args.print(),
        Peer::Direct(args) => args.bind("http://").and_then(direct::serve),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("landline-peer: {error:#}");
            ExitCode::FAILURE
        }
    }
}
