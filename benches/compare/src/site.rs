//! Where the files are, how large they are made, and Python, started once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use crate::python::{self, Venv, Worker};

#[derive(Clone)]
pub struct Site {
    folder: PathBuf,
    pub quick: bool,
    workers: Rc<RefCell<HashMap<Venv, Worker>>>,
}

impl Site {
    pub fn new(folder: &Path, quick: bool) -> Self {
        Site { folder: folder.to_owned(), quick, workers: Rc::default() }
    }

    /// What makes another process work on the same files.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments = vec!["--folder".into(), self.folder.clone().into()];
        if self.quick {
            arguments.push("--quick".into());
        }
        arguments
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The path as Python takes it.
    pub fn text(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `whole`, or the sixteenth part of it where little time is given.
    pub fn size(&self, whole: u64) -> u64 {
        if self.quick { whole / 16 } else { whole }
    }

    pub fn rounds(&self, whole: usize) -> usize {
        if self.quick { whole.min(3) } else { whole }
    }

    fn interpreter(&self, venv: Venv) -> Result<PathBuf> {
        // They outlive the files.
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
        venv.interpreter(&root)
    }

    pub fn ask(&self, venv: Venv, request: &Value) -> Result<(Duration, Value)> {
        let mut workers = self.workers.borrow_mut();
        match workers.entry(venv) {
            Entry::Occupied(worker) => worker.into_mut().ask(request),
            Entry::Vacant(place) => place.insert(Worker::start(&self.interpreter(venv)?)?).ask(request),
        }
    }

    pub fn python_once(&self, venv: Venv, requests: &[Value]) -> Result<(Duration, u64)> {
        python::once(&self.interpreter(venv)?, requests)
    }

    /// Ends the processes, and gives their memory back.
    pub fn rest(&self) {
        self.workers.borrow_mut().clear();
    }
}
