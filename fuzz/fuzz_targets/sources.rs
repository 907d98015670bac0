#![no_main]

#[path = "../sources.rs"]
mod promise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| promise::sources(bytes));
