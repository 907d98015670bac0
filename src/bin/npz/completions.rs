//! `npz completions`: a script that completes commands, options and files, and in bash the keys of an archive as well.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::console::Console;
use crate::exit::{Problems, Result};

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  npz completions bash > npz.bash
  npz completions zsh > _npz
  npz completions fish > npz.fish

In bash, what stands behind an archive is completed by its keys, too, which `npz ls` is asked for.")]
pub(crate) struct Options {
    /// bash, zsh, fish, elvish or powershell
    #[arg(value_name = "SHELL", hide_possible_values = true)]
    shell: Shell,
}

/// clap's own completion of values that a program knows is behind a feature that is named unstable.
const KEYS_IN_BASH: &str = r#"
_npz_keys() {
    local word archive="" key
    case "${COMP_WORDS[1]}" in cat|extract|plot|show|stat) ;; *) _npz "$@"; return ;; esac
    for word in "${COMP_WORDS[@]:2:COMP_CWORD-2}"; do
        [[ $word == *.npz ]] && archive=$word
    done
    _npz "$@"
    local current=${COMP_WORDS[COMP_CWORD]}
    [[ -n $archive && $current != -* ]] || return 0
    compopt +o nospace 2>/dev/null
    archive=${archive//\\ / }
    while IFS= read -r key; do
        [[ $key == "$current"* ]] && COMPREPLY+=("$(printf %q "$key")")
    done < <(npz ls --columns key "$archive" 2>/dev/null | tail -n +2)
    return 0
}
complete -F _npz_keys -o bashdefault -o default npz
"#;

pub(crate) fn run(options: &Options, console: &Console) -> Result<Problems> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Args::command(), "npz", &mut script);
    if options.shell == Shell::Bash {
        script.extend_from_slice(KEYS_IN_BASH.as_bytes());
    }
    let mut out = console.out();
    out.write_all(&script)?;
    out.flush()?;
    Ok(Problems::default())
}
