#![no_main]

#[path = "../extract.rs"]
mod promise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| promise::extract(bytes));
