//! `cargo xtask manual`: man pages, and completions for bash, zsh and fish. They derive from the tables of options by way
//! of the programs' own help texts, so that they cannot say anything else.

mod bash;
mod fish;
mod help;
mod man;
mod zsh;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use help::Help;

use super::PROGRAMS;
use super::build::Workspace;

/// Where the files go that `install` would put under `share` of its prefix.
const DIRECTORY: &str = "target/share";

/// What there is for each program.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// The man page.
    Man,
    /// Completions for bash.
    Bash,
    /// Completions for zsh.
    Zsh,
    /// Completions for fish.
    Fish,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 4] = [Kind::Man, Kind::Bash, Kind::Zsh, Kind::Fish];

    /// Returns which of the directories of man pages and of other data it goes below.
    pub fn below<'a>(self, man: &'a Path, data: &'a Path) -> &'a Path {
        match self {
            Kind::Man => man,
            Kind::Bash | Kind::Zsh | Kind::Fish => data,
        }
    }

    /// Returns where it goes there.
    pub fn file(self, program: &str) -> String {
        match self {
            Kind::Man => format!("man1/{program}.1"),
            Kind::Bash => format!("bash-completion/completions/{program}"),
            Kind::Zsh => format!("zsh/site-functions/_{program}"),
            Kind::Fish => format!("fish/vendor_completions.d/{program}.fish"),
        }
    }

    /// Makes it of what a built program says.
    pub fn text(self, file: &Path) -> Result<String> {
        let program = file.file_name().and_then(|name| name.to_str()).context("a program has a name")?;
        let help = ask(file, program)?;
        Ok(match self {
            Kind::Man => man::page(program, &help),
            Kind::Bash => bash::script(program, &help),
            Kind::Zsh => zsh::script(program, &help),
            Kind::Fish => fish::script(program, &help),
        })
    }
}

/// Writes all there is of the programs that are built.
pub fn run(root: &Path) -> Result<()> {
    let release = Workspace::load(root)?.target_dir.join("release");
    let data = root.join(DIRECTORY);
    let man = data.join("man");
    for (program, _) in PROGRAMS.iter().filter(|(program, _)| release.join(program).exists()) {
        for kind in Kind::ALL {
            let file = kind.below(&man, &data).join(kind.file(program));
            let directory = file.parent().context("the file is in a directory")?;
            fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
            fs::write(&file, kind.text(&release.join(program))?)
                .with_context(|| format!("cannot write {}", file.display()))?;
            println!("{}", file.display());
        }
    }
    Ok(())
}

/// Asks a program for its help.
fn ask(file: &Path, program: &str) -> Result<Help> {
    let option = match program {
        "bitcoin" => "--help",
        "bitcoind" | "bitcoin-node" => "-help-debug",
        _ => "-help",
    };
    let output = Command::new(file).arg(option).output().with_context(|| format!("cannot start {}", file.display()))?;
    if !output.status.success() {
        bail!("{} {option} ended with {}", file.display(), output.status);
    }
    Ok(Help::read(&String::from_utf8(output.stdout).context("the help text is not UTF-8")?))
}

/// Says whether a program's words are commands that the node it talks to knows.
fn takes_commands(program: &str) -> bool {
    program == "bitcoin-cli"
}

/// Makes a name that shells take for a function's.
fn function(program: &str) -> String {
    format!("_{}", program.replace('-', "_"))
}
