//! The archives in `tests/data`, and what NumPy says is in them.

use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::Value;

/// The path of a fixture.
pub(crate) fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "data", name].iter().collect()
}

/// The bytes of a fixture.
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// `expected.json`, which `make.py` wrote with real NumPy; its docstring has the schema.
pub(crate) static EXPECTED: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_slice(&bytes("expected.json")).expect("expected.json is JSON"));
