//! A terminal for the command.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// What `npz` prints on a terminal, standard error among it.
pub(crate) fn on_terminal(args: &[&str], environment: &[(&str, &str)]) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = || -> OwnedFd { rustix::fs::open(&*name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap() };
    let mut command = Command::new(env!("CARGO_BIN_EXE_npz"));
    command.args(args).env_remove("NO_COLOR").env("TERM", "xterm").envs(environment.iter().copied());
    let mut child = command.stdin(Stdio::null()).stdout(slave()).stderr(slave()).spawn().unwrap();
    drop(command); // and with it our ends of the terminal, so that reading ends when the child has
    let mut text = Vec::new();
    let _ = File::from(master).read_to_end(&mut text); // EIO is how a terminal says that nobody writes any more
    child.wait().unwrap();
    String::from_utf8(text).unwrap().replace("\r\n", "\n")
}
