//! One binary, a file per worry.

mod any;
mod borrow;
mod changed;
mod cost;
mod counting;
mod elements;
mod fields;
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
mod plain;
mod recipe;
mod regressions;
mod rows;
mod shared;
mod split;
mod stream;
mod threads;
mod write;
