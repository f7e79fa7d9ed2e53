//! Completions for zsh.

use std::fmt::Write as _;

use super::help::{Help, Value};
use super::{function, takes_commands};

/// Makes the script of a program.
pub fn script(program: &str, help: &Help) -> String {
    let function = function(program);
    let mut text = format!("#compdef {program}\n# Completions of {program} for zsh, made from its help text.\n\n");
    let mut words = String::new();
    if takes_commands(program) {
        let _ = write!(
            text,
            "{function}_commands() {{
    # The node knows which commands it has; it is asked as the rest of the line says.
    local -a options commands
    options=(${{(M)words:#-(conf=*|datadir=*|chain=*|regtest|testnet*|signet|rpc*)}})
    commands=(${{(f)\"$({program} $options help 2>/dev/null | sed -n 's/^\\([a-z][a-z0-9]*\\).*/\\1/p')\"}})
    compadd -a commands
}}

"
        );
        let _ = write!(words, " \\\n    '1:command:{function}_commands' '*::parameter:'");
    } else if help.commands().next().is_some() {
        let commands: Vec<String> = help
            .commands()
            .flat_map(|entry| entry.names.iter().map(|name| format!("{name}\\:{}", quoted(&entry.text))))
            .map(|command| format!("\"{command}\""))
            .collect();
        let _ = write!(words, " \\\n    '1:command:(({}))' '*::parameter:'", commands.join(" "));
    }
    let _ = write!(text, "_arguments -S");
    for entry in help.options() {
        let action = match entry.value() {
            Value::None => "",
            Value::File => ":file:_files",
            Value::Directory => ":directory:_files -/",
            Value::Other => ":value:",
        };
        let sign = if action.is_empty() { "" } else { "=-" };
        for name in &entry.names {
            let _ = write!(text, " \\\n    '*{name}{sign}[{}]{action}'", quoted(&entry.text));
        }
    }
    text.push_str(&words);
    text.push('\n');
    text
}

/// Writes a description so that nothing in it ends it.
fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("'\\''"),
            '[' | ']' | ':' | '\\' | '"' | '$' | '`' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c => quoted.push(c),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::super::help::tests::TEXT;
    use super::*;

    #[test]
    fn options_are_there_with_their_values() {
        let script = script("bitcoind", &Help::read(TEXT));
        for part in [
            "#compdef bitcoind\n",
            "'*-conf=-[Read this \\[file\\]; relative to\\: the directory]:file:_files'",
            "'*-daemon[Go to the background (default\\: 0)]'",
            "'*-datadir=-[Data directory]:directory:_files -/'\n",
        ] {
            assert!(script.contains(part), "{part:?} is not in\n{script}");
        }
        assert!(super::script("bitcoin-cli", &Help::read(TEXT)).contains("'1:command:_bitcoin_cli_commands'"));
    }
}
