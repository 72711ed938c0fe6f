//! `landline-loadgen`: see `--help`.

use std::process::ExitCode;

use clap::Parser;
use landline_loadgen::args::Cli;
use landline_loadgen::{interrupt, proc, scenario};

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.command.run().is_some() {
        interrupt::watch();
    }
    proc::raise_descriptor_limit();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("landline-loadgen: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let (Some(report), Some(run)) = (scenario::run(&cli.command)?, cli.command.run()) else { return Ok(()) };
    report.print(run)?;
    report.verdict(run.strict)
}
