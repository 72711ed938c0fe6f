//! `landline`: the one binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    landline::run()
}
