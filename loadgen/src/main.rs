//! `landline-loadgen`: see `--help`.

use clap::Parser;
use landline_loadgen::args::{Cli, Command};
use landline_loadgen::{net, report, scenario};

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    net::raise_descriptor_limit();
    match cli.command {
        Command::Calls(args) => {
            let result = scenario::calls::run(&args)?;
            report::print(&result, args.shape.json)?;
            result.verdict()
        }
        Command::Raw(args) => {
            let result = scenario::raw::run(&args)?;
            report::print(&result, args.shape.json)?;
            result.verdict()
        }
        Command::Idle(args) => {
            let result = scenario::idle::run(&args)?;
            report::print(&result, args.json)?;
            result.verdict()
        }
        Command::RawServer(args) => scenario::raw::serve(&args),
    }
}
