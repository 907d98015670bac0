#![no_main]

#[path = "../differential.rs"]
mod promise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    promise::differential(bytes);
});
