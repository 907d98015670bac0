//! Rows, contestants, targets; and how time and memory are taken.

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::floor;
use crate::python::Venv;
use crate::report;
use crate::site::Site;

/// Does the work once, and says how long the part of it took that counts.
pub type Run = Box<dyn FnMut() -> Result<Duration>>;

type Make = Box<dyn Fn(&Site) -> Result<Run>>;

/// Who does the work of a row.
pub struct Contestant {
    pub name: &'static str,
    /// Each run in a process of its own: what is measured is what a heap that was never used costs.
    fresh: bool,
    work: Work,
}

enum Work {
    Rust(Make),
    Python { venv: Venv, before: Vec<Value>, request: Value, after: Option<Value> },
}

impl Contestant {
    /// `make` prepares, and gives what is run again and again.
    pub fn new(name: &'static str, make: impl Fn(&Site) -> Result<Run> + 'static) -> Self {
        Contestant { name, fresh: false, work: Work::Rust(Box::new(make)) }
    }

    /// A request to `python.py`, which takes the time itself.
    pub fn python(name: &'static str, venv: Venv, request: Value) -> Self {
        Contestant { name, fresh: false, work: Work::Python { venv, before: Vec::new(), request, after: None } }
    }

    /// What is asked of Python before, once.
    pub fn after(mut self, preparation: Value) -> Self {
        if let Work::Python { before, .. } = &mut self.work {
            before.push(preparation);
        }
        self
    }

    /// What is asked of Python after each run, and not measured.
    pub fn then(mut self, request: Value) -> Self {
        if let Work::Python { after, .. } = &mut self.work {
            *after = Some(request);
        }
        self
    }

    pub fn fresh(mut self) -> Self {
        self.fresh = true;
        self
    }
}

/// One line of the table of targets.
pub struct Row {
    pub id: &'static str,
    pub title: String,
    /// What a run moves, for the speed.
    pub bytes: Option<u64>,
    pub contestants: Vec<Contestant>,
    pub targets: Vec<Target>,
    /// How often each contestant runs; the median counts.
    pub rounds: usize,
    /// What was written before is on the disk before the next run begins: nobody writes back what others wrote.
    settled: bool,
}

impl Row {
    pub fn new(id: &'static str, title: impl Into<String>) -> Self {
        Row {
            id,
            title: title.into(),
            bytes: None,
            contestants: Vec::new(),
            targets: Vec::new(),
            rounds: 9,
            settled: false,
        }
    }

    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }

    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds;
        self
    }

    pub fn settled(mut self) -> Self {
        self.settled = true;
        self
    }

    pub fn with(mut self, contestant: Contestant) -> Self {
        self.contestants.push(contestant);
        self
    }

    pub fn target(mut self, ours: &'static str, bound: Bound) -> Self {
        self.targets.push(Target { ours, bound });
        self
    }
}

/// What one of ours has to reach.
pub struct Target {
    pub ours: &'static str,
    pub bound: Bound,
}

pub enum Bound {
    /// At most so many times the time of another.
    Within(f64, &'static str),
    /// At least so many times as fast as another.
    Faster(f64, &'static str),
    /// At most so long.
    AtMost(Duration),
    /// At most so many bytes of resident memory at the peak.
    Resident(u64),
    /// One file is at most so many times as large as another.
    Smaller(f64, &'static str, &'static str),
}

/// The times and the memory of a contestant, or why there are none.
pub struct Outcome {
    pub name: &'static str,
    pub times: Result<Vec<Duration>, String>,
    /// Resident memory at its peak, beyond what the process had before.
    pub peak: Option<u64>,
}

impl Outcome {
    pub fn median(&self) -> Option<Duration> {
        let mut times = self.times.as_ref().ok()?.clone();
        times.sort();
        times.get(times.len() / 2).copied()
    }

    pub fn extremes(&self) -> Option<(Duration, Duration)> {
        let times = self.times.as_ref().ok()?;
        Some((*times.iter().min()?, *times.iter().max()?))
    }
}

/// Whether a target was met, and by what figure.
pub struct Verdict {
    pub text: String,
    pub found: String,
    pub met: bool,
}

impl Target {
    /// What was not measured is missed.
    pub fn judge(&self, outcomes: &[Outcome], site: &Site) -> Verdict {
        let of = |name: &str| outcomes.iter().find(|outcome| outcome.name == name);
        let seconds = |name: &str| of(name).and_then(Outcome::median).map(|time| time.as_secs_f64());
        let ours = self.ours;
        let (text, found) = match self.bound {
            Bound::Within(most, other) => {
                let found = seconds(ours).zip(seconds(other)).map(|(ours, other)| ours / other);
                (
                    format!("{ours}: at most {most} times the time of {other}"),
                    found.map(|found| (format!("{found:.2}"), found <= most)),
                )
            }
            Bound::Faster(least, other) => {
                let found = seconds(ours).zip(seconds(other)).map(|(ours, other)| other / ours);
                let digits = if found.is_some_and(|found| found >= 100.0) { 0 } else { 2 };
                (
                    format!("{ours}: at least {least} times as fast as {other}"),
                    found.map(|found| (format!("{found:.digits$}"), found >= least)),
                )
            }
            Bound::AtMost(most) => {
                let found = of(ours).and_then(Outcome::median);
                (format!("{ours}: at most {most:?}"), found.map(|found| (report::time(found), found <= most)))
            }
            Bound::Resident(most) => {
                let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
                let found = of(ours).and_then(|outcome| outcome.peak);
                (
                    format!("{ours}: at most {:.1} MiB resident", mib(most)),
                    found.map(|found| (format!("{:.1}", mib(found)), found <= most)),
                )
            }
            Bound::Smaller(most, mine, other) => {
                let size = |name: &str| std::fs::metadata(site.path(name)).map(|data| data.len() as f64).ok();
                let found = size(mine).zip(size(other)).map(|(mine, other)| mine / other);
                (
                    format!("{ours}: at most {most} times as large as that of {other}"),
                    found.map(|found| (format!("{found:.4}"), found <= most)),
                )
            }
        };
        let (found, met) = found.unwrap_or_else(|| ("not measured".to_owned(), false));
        Verdict { text, found, met }
    }
}

/// Runs every contestant in turn, so that a machine that slows down slows all of them.
pub fn run(row: &Row, site: &Site) -> Vec<Outcome> {
    let mut runs: Vec<Result<Run>> = row.contestants.iter().map(|contestant| prepare(row, contestant, site)).collect();
    let mut times = vec![Vec::new(); runs.len()];
    // Once before it counts, for caches; a process of its own has none.
    let rounds = site.rounds(row.rounds);
    for round in 0..=rounds {
        // Each round begins with another one.
        for number in 0..runs.len() {
            let number = (number + round) % row.contestants.len();
            let (contestant, run, times) = (&row.contestants[number], &mut runs[number], &mut times[number]);
            let Ok(work) = run else { continue };
            if round == 0 && contestant.fresh {
                continue;
            }
            if row.settled {
                rustix::fs::sync();
            }
            if let Some(bytes) = row.bytes
                && let Err(error) = warm(bytes)
            {
                *run = Err(error);
                continue;
            }
            match work() {
                Ok(time) if round > 0 => times.push(time),
                Ok(_) => {}
                Err(error) => *run = Err(error),
            }
        }
    }
    // What they hold is given back before the memory of the next is looked at.
    let failures: Vec<_> = runs.into_iter().map(Result::err).collect();
    let contestants = row.contestants.iter().zip(times).zip(failures);
    contestants
        .map(|((contestant, times), failure)| {
            let peak = if failure.is_none() { peak_of(row, contestant, site).ok() } else { None };
            let times = failure.map_or(Ok(times), |error| Err(format!("{error:#}")));
            Outcome { name: contestant.name, times, peak }
        })
        .collect()
}

/// Touches as much free memory as a run takes. A virtual machine gives back to its host what was free for two seconds, and
/// who touches it first then pays for a fault of the host, too: twenty times the price of a page.
fn warm(bytes: u64) -> Result<()> {
    let mut memory = floor::huge(usize::try_from(bytes + bytes / 4)?)?;
    memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    Ok(())
}

fn prepare(row: &Row, contestant: &Contestant, site: &Site) -> Result<Run> {
    if contestant.fresh {
        let (site, row_id) = (site.clone(), row.id);
        return match &contestant.work {
            Work::Rust(_) => {
                let name = contestant.name;
                Ok(Box::new(move || sample(row_id, name, &site).map(|(time, _)| time)))
            }
            Work::Python { venv, before, request, .. } => {
                let (venv, requests) = (*venv, [&before[..], std::slice::from_ref(request)].concat());
                Ok(Box::new(move || site.python_once(venv, &requests).map(|(time, _)| time)))
            }
        };
    }
    match &contestant.work {
        Work::Rust(make) => make(site),
        Work::Python { venv, before, request, after } => {
            let (site, venv, request, after) = (site.clone(), *venv, request.clone(), after.clone());
            for preparation in before {
                site.ask(venv, preparation)?;
            }
            Ok(Box::new(move || {
                let (time, _) = site.ask(venv, &request)?;
                after.iter().try_for_each(|after| site.ask(venv, after).map(drop))?;
                Ok(time)
            }))
        }
    }
}

fn peak_of(row: &Row, contestant: &Contestant, site: &Site) -> Result<u64> {
    match &contestant.work {
        Work::Rust(_) => Ok(sample(row.id, contestant.name, site)?.1),
        Work::Python { venv, before, request, .. } => {
            let requests = [&before[..], std::slice::from_ref(request)].concat();
            Ok(site.python_once(*venv, &requests)?.1)
        }
    }
}

/// One run in a process of its own.
fn sample(row: &str, contestant: &str, site: &Site) -> Result<(Duration, u64)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(site.arguments()).args(["--sample", row, "--by", contestant]);
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    let number = |field: &str| answer[field].as_u64().context("no number");
    Ok((Duration::from_nanos(number("nanoseconds")?), number("peak")?))
}

/// What a process of its own does: the work of one contestant, once.
pub fn answer_sample(rows: &[Row], row: &str, contestant: &str, site: &Site) -> Result<()> {
    let row = rows.iter().find(|known| known.id == row).context("no such row")?;
    let contestant = row.contestants.iter().find(|known| known.name == contestant).context("no such contestant")?;
    let Work::Rust(make) = &contestant.work else { bail!("Python answers for itself") };
    let mut run = make(site)?;
    let resting = resident("VmRSS")?;
    std::fs::write("/proc/self/clear_refs", "5")?; // the peak begins here
    let time = run()?;
    // That of a command is its own.
    let peak = resident("VmHWM")?.saturating_sub(resting).max(resident_of_children());
    println!("{}", json!({ "nanoseconds": u64::try_from(time.as_nanos())?, "peak": peak }));
    Ok(())
}

/// The peak of the largest process that was waited for.
fn resident_of_children() -> u64 {
    // SAFETY: a struct of integers, for which zeros are values, and a call that fills it.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage);
        usage
    };
    u64::try_from(usage.ru_maxrss).unwrap_or_default() << 10
}

/// A field of this process' status, in bytes.
fn resident(field: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(field)).context("no such field")?;
    let kib: u64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kib << 10)
}

/// How long `work` takes.
pub fn timed<R>(work: impl FnOnce() -> Result<R>) -> Result<Duration> {
    let start = Instant::now();
    let result = black_box(work()?);
    let time = start.elapsed();
    drop(result); // giving memory back is not part of it, for anybody
    Ok(time)
}

/// How long one of `count` takes, for what is shorter than the clock.
pub fn timed_each<R>(count: u32, mut work: impl FnMut() -> Result<R>) -> Result<Duration> {
    let start = Instant::now();
    for _ in 0..count {
        black_box(work()?);
    }
    Ok(start.elapsed() / count)
}
