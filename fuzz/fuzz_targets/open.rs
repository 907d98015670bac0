#![no_main]

#[path = "../paths.rs"]
mod paths;
#[path = "../open.rs"]
mod promise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| promise::open(bytes));
