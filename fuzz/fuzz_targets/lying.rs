#![no_main]

#[path = "../../tests/it/forge.rs"]
#[expect(dead_code, reason = "the tests have use for all of it")]
mod forge;
#[path = "../lying.rs"]
mod promise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| promise::lying(bytes));
