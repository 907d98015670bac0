//! Loads the weights under a prefix as arrays that share the archive, bfloat16 among them, and runs one layer.
//!
//! ```text
//! cargo run --release --example inference --all-features
//! ```
//!
//! The layer lives in a struct of its own, with no lifetime and no copy of the weights: each array holds a share of the
//! archive. It is sent to another thread to run.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use ndarray::{Array1, Ix1, Ix2, array};
use npzmap::half::bf16;
use npzmap::{Npz, SharedArray, ToAligned, Unaligned};

/// `y = scale * (weight · x) + bias`, row by row.
struct Layer {
    weight: SharedArray<Unaligned<f32>, Ix2>,
    /// ml_dtypes saves bfloat16 as two bytes of no kind: `reinterpret` says what they are.
    scale: SharedArray<Unaligned<bf16>, Ix1>,
    bias: SharedArray<Unaligned<f32>, Ix1>,
}

impl Layer {
    fn run(&self, x: &Array1<f32>) -> Array1<f32> {
        // One matrix product wants aligned rows; a long-lived layer would keep this.
        let product = self.weight.view().to_aligned().dot(x);
        let scale = self.scale.view().mapv(|value| value.get().to_f32());
        product * scale + self.bias.view().to_aligned()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/data/weights.npz"].iter().collect();
    let npz = Npz::new(std::fs::read(path)?)?;

    let keys: BTreeMap<String, String> =
        npz.keys_under("encoder/").map(|key| (key["encoder/".len()..].into(), key.into())).collect();
    println!("{} of {} arrays lie under encoder/: {:?}", keys.len(), npz.len(), keys.keys());
    let layer = Layer {
        weight: npz.array(&keys["weight"])?.shared()?,
        scale: npz.array(&keys["scale"])?.reinterpret::<bf16>()?.shared()?,
        bias: npz.array(&keys["bias"])?.shared()?,
    };
    drop(npz); // the layer holds what it needs

    let x = array![1.0, 2.0, 3.0, 4.0];
    let expected = array![5.0 * 1.5, 15.0 * -2.0 + 1.0, 25.0 * 0.5 - 1.0];
    let y = std::thread::spawn(move || layer.run(&x)).join().map_err(|_| "the layer panicked")?;
    println!("y = {y}");
    if y != expected {
        return Err(format!("expected {expected}").into());
    }
    Ok(())
}
