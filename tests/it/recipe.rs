//! The recipe, line by line as NumPy prints it.

use std::process::Command;

use crate::fixtures;

/// An example, as the README runs it but for the profile and the features, which are those of this test.
fn example(name: &str) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--all-features", "--example", name, "--"]);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo
}

fn load() -> Command {
    example("load")
}

#[test]
fn what_the_other_example_writes_and_loads_prints_the_recipe_too() {
    let recipe = String::from_utf8(fixtures::bytes("recipe.txt")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model-batch.npz");
    let output = example("save_load").arg(&path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.starts_with(&recipe), "{printed}");
    assert!(printed.contains("labels  deflated") && printed.contains("log  stored"), "{printed}");
    let methods: Vec<_> = npzmap::Npz::open(path).unwrap().members().map(|member| member.method()).collect();
    assert_eq!(methods, [npzmap::Method::Deflated; 3]);
}

#[test]
fn the_example_prints_the_recipe_for_each_archive_and_proves_its_borrows() {
    let recipe = String::from_utf8(fixtures::bytes("recipe.txt")).unwrap();
    assert_eq!(recipe.lines().count(), 7);
    let output = load().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.matches(&recipe).count(), 3, "{printed}");
    for (archive, lines) in [
        ("model-batch.npz", ["features: copied as f32, 12 elements: the member is compressed"; 1]),
        (
            "model-batch-stored.npz",
            ["features: borrowed as Unaligned<f32> at 0xbe: the data at byte 0xbe is not 4-aligned"],
        ),
        ("model-batch-aligned.npz", ["features: borrowed as f32 at 0xc0"]),
    ] {
        let section = printed.split_once(&format!("{archive}\n")).unwrap().1;
        let section = section.split_once("\n\n").map_or(section, |(section, _)| section);
        for line in lines {
            assert!(section.contains(line), "{archive}: {section}");
        }
    }
}

#[test]
fn the_example_takes_any_archive() {
    for archive in ["kinds-stored.npz", "records-deflated.npz", "object.npz", "keys.npz", "methods.npz"] {
        let output = load().arg(fixtures::path(archive)).output().unwrap();
        assert!(output.status.success(), "{archive}: {output:?}");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(printed.lines().next().unwrap().contains("opened in"), "{printed}");
    }
}
