//! `cargo xtask torment`: runs `test/functional/torment.py` for as long as wanted against the built programs.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::functional::FORMS;
use crate::flags;

/// Runs it in the forms asked for, one after the other.
pub fn run(root: &Path, flags: &flags::Torment) -> Result<()> {
    let minutes = flags.minutes.unwrap_or(1);
    let form = flags.form.as_deref().unwrap_or("both");
    if form != "both" && !FORMS.iter().any(|(name, _)| *name == form) {
        bail!("there is no form {form}: monolith, split or both");
    }
    for (name, program) in FORMS {
        if form != name && form != "both" {
            continue;
        }
        println!("torment, {name}, {minutes} minutes");
        let mut command = Command::new("python3");
        command.arg("test/functional/torment.py").current_dir(root).env("BITCOIND", program);
        command.env("TORMENT_SECONDS", (u64::from(minutes) * 60).to_string());
        if let Some(seed) = flags.seed {
            command.env("TORMENT_SEED", seed.to_string());
        }
        if let Some(peer) = &flags.peer {
            command.env("TORMENT_PEER", std::path::absolute(peer)?);
        }
        super::run(&mut command, &format!("torment, {name}"))?;
    }
    Ok(())
}
