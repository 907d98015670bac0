//! `npz man`: the manual, one page on standard output, or a page for each command.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::CommandFactory;
use clap_mangen::Man;

use crate::args::{Args, Writing};
use crate::console::Console;
use crate::exit::{Failure, Problems, Result};
use crate::place::Folder;

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  npz man > npz.1
  npz man -d man1
  npz man --dry-run -d man1")]
pub(crate) struct Options {
    /// A folder for npz.1, npz-ls.1, …; it is made if it is not there
    #[arg(short, long, value_name = "DIR")]
    directory: Option<PathBuf>,

    #[command(flatten)]
    writing: Writing,
}

pub(crate) fn run(options: &Options, console: &Console) -> Result<Problems> {
    let mut command = Args::command();
    command.build();
    let commands: Vec<_> = command.get_subcommands().filter(|one| one.get_name() != "help").cloned().collect();
    let Some(directory) = &options.directory else {
        let mut out = console.out();
        out.write_all(&page(command)?)?;
        for one in commands {
            // Its sections become those of one section. What defines the apostrophe stands at the top of the page already.
            let page =
                String::from_utf8_lossy(&sections(&one)?).replace("\n.SH ", "\n.SS ").replacen(".SH ", ".SS ", 1);
            let lines: Vec<_> =
                page.lines().filter(|line| !line.starts_with(".ie ") && !line.starts_with(".el ")).collect();
            let page = lines.join("\n");
            writeln!(out, ".SH \"NPZ {}\"\n{page}", one.get_name().to_uppercase())?;
        }
        out.flush()?;
        return Ok(Problems::default());
    };
    let mut pages = vec![("npz.1".to_owned(), page(command)?)];
    for one in commands {
        pages.push((format!("npz-{}.1", one.get_name()), page(one)?));
    }
    // All of them before the first one is written.
    if directory.is_dir() {
        pages.iter().try_for_each(|(name, _)| options.writing.check(&directory.join(name)))?;
    }
    if options.writing.dry_run {
        console.note(format!("{} pages would be written to {}", pages.len(), directory.display()));
        return Ok(Problems::default());
    }
    let folder = Folder::open(directory).map_err(Failure::file(directory))?;
    for (name, page) in pages {
        let mut file = folder.create(&[&name], options.writing.force).map_err(Failure::file(directory))?;
        let failed = Failure::writing(directory.join(&name).display().to_string());
        file.write_all(&page).and_then(|()| file.finish()).map_err(failed)?;
    }
    Ok(Problems::default())
}

fn page(command: clap::Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(page)
}

/// What a page has between its title and its version.
fn sections(command: &clap::Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    man.render_extra_section(&mut page)?;
    Ok(page)
}
