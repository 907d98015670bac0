//! One binary, a file per worry.

mod borrow;
mod fixtures;
mod forge;
mod hostile;
mod keys;
mod large;
mod layers;
mod numpy;
mod opening;
mod recipe;
mod regressions;
mod threads;
