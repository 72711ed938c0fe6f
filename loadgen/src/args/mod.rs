//! The command line.

mod scenarios;
mod shared;

use clap::{Parser, Subcommand};

pub use scenarios::{
    CallsArgs, ChurnArgs, DirectoryArgs, IdleArgs, MixedArgs, OnewayArgs, RawArgs, RawServerArgs, RegisterArgs,
    SearchArgs, SlowArgs, StormArgs, StreamArgs, Trigger, Via,
};
pub use shared::{Arrivals, Open, Run, Server, Shape, Sources, Target};

/// Load on a Landline server, or the same on NATS.
#[derive(Debug, Parser)]
#[command(name = "landline-loadgen", version, max_term_width = 100, args_override_self = true)]
pub struct Cli {
    /// What to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The scenarios.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Pairs of agents that call each other, or HTTP callers that call agents: in a closed loop, or at a rate.
    Calls(CallsArgs),
    /// Answers in many parts: bytes per second, time to the first part, gaps between parts.
    Stream(StreamArgs),
    /// Messages in one direction, pipelined. On a relay these are calls with an empty answer: its protocol has no
    /// message without one.
    Oneway(OnewayArgs),
    /// Lines that are up and silent: what one costs, and that each answers its heartbeats.
    Idle(IdleArgs),
    /// All lines come back at once, after they were closed or the server was restarted.
    Storm(StormArgs),
    /// Lines come and go while they are called: calls that fail although their agent was up.
    Churn(ChurnArgs),
    /// Small, middle and large calls and streams, beside idle lines.
    Mixed(MixedArgs),
    /// Readers that stop reading: what the others notice of them.
    Slow(SlowArgs),
    /// Agents are registered, as fast as the server lets them.
    Register(RegisterArgs),
    /// A made-up directory of plausible agents is registered, and stays.
    Directory(DirectoryArgs),
    /// Searches, discoveries and facets at a rate, as people and agents would ask in such a directory.
    Search(SearchArgs),
    /// The raw floor's clients: the bytes and messages of `calls`, relayed by `raw-server` without a thought.
    Raw(RawArgs),
    /// The raw floor's server: one core that passes bytes between pairs of connections.
    RawServer(RawServerArgs),
}

impl Command {
    /// How the scenario is run and what is printed; a server has neither.
    pub fn run(&self) -> Option<&Run> {
        match self {
            Self::Calls(args) => Some(&args.run),
            Self::Stream(args) => Some(&args.run),
            Self::Oneway(args) => Some(&args.run),
            Self::Idle(args) => Some(&args.run),
            Self::Storm(args) => Some(&args.run),
            Self::Churn(args) => Some(&args.run),
            Self::Mixed(args) => Some(&args.run),
            Self::Slow(args) => Some(&args.run),
            Self::Register(args) => Some(&args.run),
            Self::Directory(args) => Some(&args.run),
            Self::Search(args) => Some(&args.run),
            Self::Raw(args) => Some(&args.run),
            Self::RawServer(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in [
            "calls --seconds 0",
            "calls --seconds -1",
            "calls --pairs 0",
            "calls --in-flight 0",
            "calls --threads 0",
            "calls --rate 0",
            "oneway --size 4",
            "oneway --target http://127.0.0.1:4222",
            "calls --arrivals poisson",
            "churn --lines 0",
            "stream --via http --target nats://127.0.0.1:4222",
            "register --target nats://127.0.0.1:4222",
        ] {
            let words = ["landline-loadgen"].into_iter().chain(bad.split(' '));
            assert!(Cli::try_parse_from(words).is_err(), "{bad}");
        }
    }
}
