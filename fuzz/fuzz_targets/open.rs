#![no_main]

#[path = "../open.rs"]
mod promise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| promise::open(bytes));
