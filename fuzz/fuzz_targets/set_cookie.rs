//! `cargo fuzz run set_cookie`
#![no_main]

#[path = "../src/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::set_cookie(data));
