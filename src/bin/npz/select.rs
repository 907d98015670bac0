//! Which members: globs over keys.

use std::collections::HashSet;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use crate::exit::{Code, Failure, Result};

#[derive(clap::Args)]
pub(crate) struct Globs {
    /// Only keys that match this glob; `*` matches `/`, too. May be given several times
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,

    /// No keys that match this glob
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
}

pub(crate) struct Select {
    /// These alone, if there are any.
    keys: HashSet<String>,
    include: Option<GlobSet>,
    exclude: GlobSet,
}

impl Globs {
    pub(crate) fn compile(&self) -> Result<Select> {
        let include = if self.include.is_empty() { None } else { Some(set(&self.include)?) };
        Ok(Select { keys: HashSet::new(), include, exclude: set(&self.exclude)? })
    }
}

fn set(globs: &[String]) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(parse(glob)?);
    }
    set.build().map_err(|error| Failure::new(Code::Usage, error.to_string()))
}

fn parse(glob: &str) -> Result<Glob> {
    // A backslash is part of a key on every system.
    let parsed = GlobBuilder::new(glob).literal_separator(false).backslash_escape(true).build();
    parsed.map_err(|error| Failure::new(Code::Usage, error.to_string()))
}

impl Select {
    /// The same, among keys that were named.
    pub(crate) fn only(self, keys: HashSet<String>) -> Self {
        Select { keys, ..self }
    }

    pub(crate) fn takes(&self, key: &str) -> bool {
        let is_named = self.keys.is_empty() || self.keys.contains(key);
        is_named && self.include.as_ref().is_none_or(|set| set.is_match(key)) && !self.exclude.is_match(key)
    }
}

/// A key that nobody would find under its name: `x.npy`, where there is an `x`, whose member has that name.
pub(crate) fn hidden(keys: &HashSet<String>) -> Result<()> {
    let hidden = keys.iter().filter(|key| key.strip_suffix(".npy").is_some_and(|stem| keys.contains(stem))).min();
    match hidden {
        Some(key) => {
            let stem = key.strip_suffix(".npy").unwrap_or(key);
            let text =
                format!("{key}: would be hidden by the member of {stem}, which has that name; choose another key");
            Err(Failure::new(Code::Usage, text))
        }
        None => Ok(()),
    }
}
