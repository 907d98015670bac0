//! One binary, a file per worry.

mod ambiguous;
mod any;
mod borrow;
mod changed;
mod cost;
mod counting;
mod elements;
mod faults;
mod fields;
mod fill;
mod fixtures;
mod forge;
mod hostile;
mod keys;
mod large;
mod layers;
mod memory;
mod numpy;
mod opening;
mod oracle;
#[path = "../../fuzz/paths.rs"]
mod paths;
mod plain;
mod recipe;
mod regressions;
mod rows;
mod select;
mod shared;
mod split;
mod stream;
mod threads;
mod write;
