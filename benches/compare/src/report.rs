//! What is printed: tables for people, JSON for programs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::measure::{Outcome, Row, Verdict};

/// Three digits and a unit.
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let (value, unit) = match seconds {
        s if s < 1e-6 => (s * 1e9, "ns"),
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

/// How many times as long as the first of the row took, which is the floor where there is one.
fn ratio(time: Duration, first: Duration) -> String {
    let ratio = time.as_secs_f64() / first.as_secs_f64();
    format!("{ratio:.*}", if ratio < 10.0 { 2 } else { usize::from(ratio < 100.0) })
}

fn memory(bytes: Option<u64>) -> String {
    bytes.map_or_else(String::new, |bytes| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)))
}

pub fn print(row: &Row, outcomes: &[Outcome], verdicts: &[Verdict]) {
    println!("\n{}: {}", row.id, row.title);
    let width = outcomes.iter().map(|outcome| outcome.name.chars().count()).max().unwrap_or(0);
    let head = ["median", "ratio", "least", "most"].map(|head| format!("{head:>9}")).join(" ");
    println!("  {:width$}  {head} {:>8} {:>11}", "", "GB/s", "resident");
    let first = outcomes.iter().find_map(Outcome::median);
    for outcome in outcomes {
        let name = outcome.name;
        match (&outcome.times, outcome.median(), outcome.extremes()) {
            (Ok(_), Some(median), Some((least, most))) => {
                let speed = row.bytes.map(|bytes| format!("{:.2}", bytes as f64 / median.as_secs_f64() / 1e9));
                let ratio = first.map(|first| ratio(median, first)).unwrap_or_default();
                let [median, least, most] = [median, least, most].map(time);
                let (speed, peak) = (speed.unwrap_or_default(), memory(outcome.peak));
                println!("  {name:width$}  {median:>9} {ratio:>9} {least:>9} {most:>9} {speed:>8} {peak:>11}");
            }
            (Err(error), ..) => println!("  {name:width$}  {}", error.lines().last().unwrap_or_default()),
            _ => println!("  {name:width$}  did not run"),
        }
    }
    for verdict in verdicts {
        let met = if verdict.met { "meets" } else { "misses" };
        println!("  {met}: {}: {}", verdict.text, verdict.found);
    }
}

pub fn json(row: &Row, outcomes: &[Outcome], verdicts: &[Verdict]) -> Value {
    let first = outcomes.iter().find_map(Outcome::median);
    let contestants: Vec<Value> = outcomes
        .iter()
        .map(|outcome| {
            let nanoseconds =
                |times: &Vec<Duration>| times.iter().map(|time| time.as_nanos() as u64).collect::<Vec<_>>();
            json!({
                "name": outcome.name,
                "nanoseconds": outcome.times.as_ref().ok().map(nanoseconds),
                "median": outcome.median().map(|time| time.as_nanos() as u64),
                "ratio": outcome.median().zip(first).map(|(time, first)| time.as_secs_f64() / first.as_secs_f64()),
                "error": outcome.times.as_ref().err(),
                "resident": outcome.peak,
            })
        })
        .collect();
    let verdicts: Vec<Value> = verdicts
        .iter()
        .map(|verdict| json!({ "target": verdict.text, "found": verdict.found, "met": verdict.met }))
        .collect();
    json!({ "id": row.id, "title": row.title, "bytes": row.bytes, "contestants": contestants, "targets": verdicts })
}

/// What the figures hold for: the machine, and the versions of all that was compared.
pub fn circumstances(python: &[Value]) -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: String, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        line.and_then(|line| line.split_once(':').map(|(_, value)| value.trim().to_owned()))
    };
    let lock = include_str!("../Cargo.lock");
    // The newest, where a rival has an older one below it.
    let version = |name: &str| {
        let (name, lines) = (format!("name = \"{name}\""), lock.lines().zip(lock.lines().skip(1)));
        let last = lines.filter(|(line, _)| *line == name).last();
        last.and_then(|(_, version)| version.split('"').nth(1)).map(str::to_owned)
    };
    let crates =
        ["npzmap", "ndarray-npz", "ndarray-npy", "npyz", "safetensors", "zip", "rawzip", "flate2", "crc32fast"];
    let said = |program: &str, arguments: &[&str]| {
        let output =
            std::process::Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
        output.map_or(Value::Null, |output| String::from_utf8_lossy(&output.stdout).trim().into())
    };
    json!({
        "date": said("date", &["+%Y-%m-%d"]),
        "commit": said("git", &["describe", "--always", "--dirty"]),
        "rust": said("rustc", &["--version"]),
        "libdeflate": cfg!(feature = "libdeflate"),
        "processor": field(read("/proc/cpuinfo"), "model name"),
        "cores": std::thread::available_parallelism().map_or(0, |cores| cores.get()),
        "memory": field(read("/proc/meminfo"), "MemTotal"),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "crates": crates.map(|name| (name.to_owned(), version(name).into())).into_iter().collect::<serde_json::Map<_, Value>>(),
        "python": python,
        "command": std::env::args().collect::<Vec<_>>().join(" "),
    })
}
