//! Completions for fish.

use std::fmt::Write as _;

use super::help::{Help, Value};
use super::{function, takes_commands};

/// Makes the script of a program.
pub fn script(program: &str, help: &Help) -> String {
    let function = format!("_{}", function(program));
    let mut text = format!("# Completions of {program} for fish, made from its help text.\n\n");
    let _ = writeln!(text, "complete --command {program} --no-files");
    for entry in help.options() {
        let value = match entry.value() {
            Value::None => "",
            Value::File => " --require-parameter --force-files",
            Value::Directory => " --exclusive --arguments '(__fish_complete_directories)'",
            Value::Other => " --exclusive",
        };
        for name in &entry.names {
            let (kind, name) = match name.strip_prefix("--") {
                Some(long) => ("--long-option", long),
                None if name.len() == 2 => ("--short-option", &name[1..]),
                None => ("--old-option", name.trim_start_matches('-')),
            };
            let text_of = quoted(&entry.text);
            let _ = writeln!(text, "complete --command {program} {kind} {name}{value} --description '{text_of}'");
        }
    }
    for entry in help.commands() {
        let (name, description) = (entry.names.join(" "), quoted(&entry.text));
        let _ = writeln!(
            text,
            "complete --command {program} --condition __fish_use_subcommand --arguments '{name}' --description '{description}'"
        );
    }
    if takes_commands(program) {
        let _ = write!(
            text,
            "
function {function}_commands
    # The node knows which commands it has; it is asked as the rest of the line says.
    set --local options (commandline --tokenize --cut-at-cursor | \\
        string match --regex -- '^-(?:conf=.*|datadir=.*|chain=.*|regtest|testnet.*|signet|rpc.*)$')
    {program} $options help 2>/dev/null | string match --regex '^[a-z][a-z0-9]*'
end
complete --command {program} --condition __fish_use_subcommand --arguments '({function}_commands)'
"
        );
    }
    text
}

/// Writes a description so that nothing in it ends it.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

#[cfg(test)]
mod tests {
    use super::super::help::tests::TEXT;
    use super::*;

    #[test]
    fn options_are_there_with_their_values() {
        let script = script("bitcoind", &Help::read(TEXT));
        for part in [
            "--old-option conf --require-parameter --force-files --description 'Read this [file]; relative to: the directory'\n",
            "--old-option daemon --description 'Go to the background (default: 0)'\n",
            "--old-option datadir --exclusive --arguments '(__fish_complete_directories)' --description",
        ] {
            assert!(script.contains(part), "{part:?} is not in\n{script}");
        }
        assert!(!script.contains("_commands"));
        assert!(super::script("bitcoin-cli", &Help::read(TEXT)).contains("(__bitcoin_cli_commands)"));
    }
}
