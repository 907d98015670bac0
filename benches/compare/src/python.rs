//! Python with its packages, in an environment of its own, as a process that answers requests.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// The environments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Venv {
    Newest,
    /// The newest NumPy on which mmnpz works.
    Mmnpz,
}

impl Venv {
    fn packages(self) -> &'static [&'static str] {
        match self {
            Venv::Newest => &["numpy", "safetensors"],
            Venv::Mmnpz => &["numpy<2.3", "mmnpz"],
        }
    }

    fn folder(self, root: &Path) -> PathBuf {
        root.join(match self {
            Venv::Newest => "venv-newest",
            Venv::Mmnpz => "venv-mmnpz",
        })
    }

    /// Made if it is not there.
    pub fn interpreter(self, root: &Path) -> Result<PathBuf> {
        let folder = self.folder(root);
        let python = folder.join("bin/python");
        if !folder.join("ready").exists() {
            eprintln!("making {} with {}", folder.display(), self.packages().join(", "));
            // The pip outside, so that ensurepip, which some systems package apart, is not needed.
            run(Command::new("python3").args(["-m", "venv", "--clear", "--without-pip"]).arg(&folder))?;
            let pip = ["-m", "pip", "--quiet", "--disable-pip-version-check", "--python"];
            run(Command::new("python3").args(pip).arg(&python).arg("install").args(self.packages()))?;
            std::fs::write(folder.join("ready"), "")?;
        }
        Ok(python)
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python.py")
}

pub struct Worker {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    pub fn start(python: &Path) -> Result<Self> {
        let mut command = Command::new(python);
        command.arg(script()).arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let requests = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("no output")?);
        Ok(Worker { child, requests, answers })
    }

    pub fn ask(&mut self, request: &Value) -> Result<(Duration, Value)> {
        let requests = self.requests.as_mut().context("closed")?;
        writeln!(requests, "{request}")?;
        requests.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line).context("Python ended")?;
        Ok((seconds(&answer)?, answer["result"].clone()))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.requests.take());
        let _ = self.child.wait();
    }
}

/// Requests in a process of its own: the time of the last, and its peak of memory.
pub fn once(python: &Path, requests: &[Value]) -> Result<(Duration, u64)> {
    let mut command = Command::new(python);
    command.arg(script()).arg("once").arg(Value::from(requests).to_string());
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    Ok((seconds(&answer)?, answer["peak"].as_u64().unwrap_or(0)))
}

fn seconds(answer: &Value) -> Result<Duration> {
    match answer["seconds"].as_f64() {
        Some(seconds) => Ok(Duration::from_secs_f64(seconds)),
        None => bail!("{}", answer["error"].as_str().unwrap_or("no answer")),
    }
}
