#![no_main]

#[path = "../differential.rs"]
mod promise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| _ = promise::differential(bytes));
