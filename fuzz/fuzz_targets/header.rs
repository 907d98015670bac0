#![no_main]

#[path = "../header.rs"]
mod promise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| promise::header(bytes));
