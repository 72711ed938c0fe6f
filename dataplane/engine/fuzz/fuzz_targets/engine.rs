//! See `targets/engine.rs`.
#![no_main]

#[path = "../targets/engine.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::check(data));
