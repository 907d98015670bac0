//! The transcripts of the documentation, and the examples of the help texts.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use ndarray::{Array2, array};
use npzmap::{NpzWriter, save};

use crate::run::{Folder, fine};

const NPZ: &str = env!("CARGO_BIN_EXE_npz");

#[test]
fn the_manual_shows_what_is_printed_in_a_pipe() {
    trycmd::TestCases::new().register_bin("npz", Path::new(NPZ)).case("docs/npz.md");
}

/// The README's are what a terminal shows.
#[cfg(target_os = "linux")]
#[test]
fn the_readme_shows_what_is_printed_on_a_terminal() {
    let readme = fs::read_to_string("README.md").unwrap();
    let mut transcripts = 0;
    for block in readme.split("```console\n").skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        let Some((command, expected)) = block.strip_prefix("$ npz ").and_then(|rest| rest.split_once('\n')) else {
            continue;
        };
        let args: Vec<_> = command.split_whitespace().collect();
        let printed = crate::terminal::on_terminal(&args, &[("NO_COLOR", "1")]);
        assert_eq!(printed, expected, "$ npz {command}");
        transcripts += 1;
    }
    assert_eq!(transcripts, 3);
}

/// The files that the examples name.
#[cfg(unix)]
fn files() -> Folder {
    let folder = Folder::new();
    fs::create_dir(folder.at("runs")).unwrap();
    let fixture = |name: &str, fixture: &str| fs::copy(format!("tests/data/{fixture}"), folder.at(name)).unwrap();
    for name in ["optimizer.npz", "before.npz", "runs/1.npz", "runs/2.npz"] {
        fixture(name, "weights.npz");
    }
    let mut model = NpzWriter::create(folder.at("model.npz")).unwrap();
    model.add("encoder/weight", &Array2::<f32>::eye(4)).unwrap();
    for key in ["encoder/bias", "encoder/scale", "optim/step"] {
        model.add(key, &array![1.0_f32, 2.0]).unwrap();
    }
    model.finish().unwrap();
    fixture("after.npz", "model-batch.npz");
    fixture("hits.npz", "records-stored.npz");
    fixture("weights.npy", "plain.npy");
    fixture("bias.npy", "plain-f.npy");
    let mut archive = NpzWriter::create(folder.at("archive.npz")).unwrap();
    archive.add_bytes("notes.txt", b"notes\n").unwrap();
    archive.add("w", &array![1, 2]).unwrap();
    archive.finish().unwrap();
    fs::copy(folder.at("archive.npz"), folder.at("old.npz")).unwrap();
    let mut table = NpzWriter::create(folder.at("table.npz")).unwrap();
    table.add("scores", &Array2::<f64>::eye(3)).unwrap();
    table.finish().unwrap();
    folder.write("scores.csv", "1,2\n");
    folder.write("table.csv", "x,y\n1,2\n");
    save(folder.at("x.npy"), &array![1.0_f32]).unwrap();
    fine(["convert", &folder.at("x.npy"), &folder.at("model.safetensors")]);
    folder
}

#[cfg(unix)]
#[test]
fn the_examples_of_every_help_text_run() {
    let folder_of_npz = Path::new(NPZ).parent().unwrap().display();
    let path = format!("{folder_of_npz}:{}", std::env::var("PATH").unwrap());
    let mut examples = 0;
    for command in [
        "ls",
        "show",
        "check",
        "align",
        "cat",
        "extract",
        "pack",
        "diff",
        "convert",
        "stat",
        "plot",
        "completions",
        "man",
    ] {
        let help = fine(["help", command]);
        let (_, after) = help.text().split_once("Examples:\n").unwrap();
        let lines: Vec<_> = after.lines().map_while(|line| line.strip_prefix("  ")).collect();
        assert!(lines.len() >= 3, "{command} has few examples");
        for line in lines {
            // What is there already, another example of the same command writes.
            let folder = files();
            let clear = match line {
                "npz convert model.npz model.safetensors" => "rm model.safetensors; ",
                "npz convert model.safetensors model.npz" => "rm model.npz; ",
                "npz convert --key scores table.npz scores.csv" => "rm scores.csv; ",
                "npz pack -o table.npz --dtype f4 --header yes table.csv" => "rm table.npz; ",
                "npz pack -o model.npz weights.npy bias.npy" => "rm model.npz; ",
                "npz pack -o model.npz encoder/weight=weights.npy scores=scores.csv" => "rm model.npz; ",
                _ => "",
            };
            // xxd is not everywhere.
            let line = line.replace("| xxd", "| wc -c");
            let run = format!("{clear}cd . && {line}");
            let mut shell = Command::new("sh");
            shell.args(["-c", &run]).current_dir(folder.at("")).env("PATH", &path).stdin(Stdio::null());
            let output = shell.output().unwrap();
            let code = output.status.code();
            let found = matches!(command, "check" | "diff" | "align");
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(code == Some(0) || (found && code == Some(1)), "{line}: {code:?}: {errors}");
            examples += 1;
        }
    }
    assert!(examples >= 40, "{examples}");
}
