//! See `targets/header.rs`.
#![no_main]

#[path = "../targets/cuts.rs"]
mod cuts;
#[path = "../targets/header.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::check(data));
