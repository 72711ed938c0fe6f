//! `landline`: the one binary.

use std::process::ExitCode;

/// Letters between cores are made on one thread and freed on another, which glibc's allocator does under a lock of the core
/// that made them; and what a storm of attaches leaves between the lines goes back to the system by itself. What others
/// cost is in `docs/perf/README.md`, "across cores".
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    landline::run()
}
