#![no_main]

#[path = "../promises.rs"]
#[expect(dead_code, reason = "each target holds one of the promises")]
mod promises;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| promises::extract(bytes));
