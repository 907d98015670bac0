#![no_main]

#[path = "../roundtrip.rs"]
mod promise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| promise::roundtrip(bytes));
