//! Completions for bash.

use super::help::{Entry, Help, Value};
use super::{function, takes_commands};

/// Makes the script of a program.
pub fn script(program: &str, help: &Help) -> String {
    let function = function(program);
    let pattern = |value: Value| {
        let names: Vec<&str> = help.options().filter(|entry| entry.value() == value).map(name).collect();
        // A pattern that nothing matches, where there is none.
        if names.is_empty() { "''".to_owned() } else { names.join("|") }
    };
    let words: Vec<String> = help
        .options()
        .flat_map(|entry| {
            let equals = if entry.value() == Value::None { "" } else { "=" };
            entry.names.iter().map(move |name| format!("{name}{equals}"))
        })
        .chain(help.commands().flat_map(|entry| entry.names.clone()))
        .collect();
    let commands = if takes_commands(program) {
        "    if [[ $current != -* ]]; then
        # The node knows which commands it has; it is asked as the rest of the line says.
        local word options=()
        for word in $COMP_LINE; do
            case $word in -conf=*|-datadir=*|-chain=*|-regtest|-testnet*|-signet|-rpc*) options+=(\"$word\") ;; esac
        done
        COMPREPLY=($(compgen -W \"$(\"$1\" \"${options[@]}\" help 2>/dev/null | sed -n 's/^\\([a-z][a-z0-9]*\\).*/\\1/p')\" \\
            -- \"$current\"))
        return
    fi
"
    } else {
        ""
    };
    format!(
        "# Completions of {program} for bash, made from its help text.

{function}() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} option=
    COMPREPLY=()
    # The shell takes the sign between an option and its value for a word.
    if [[ $current == '=' ]]; then
        option=${{COMP_WORDS[COMP_CWORD-1]}} current=
    elif ((COMP_CWORD > 1)) && [[ ${{COMP_WORDS[COMP_CWORD-1]}} == '=' ]]; then
        option=${{COMP_WORDS[COMP_CWORD-2]}}
    fi
    case $option in
        '') ;;
        {files}) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$current\")); return ;;
        {directories}) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- \"$current\")); return ;;
        *) return ;;
    esac
{commands}    COMPREPLY=($(compgen -W '{words}' -- \"$current\"))
    if [[ ${{COMPREPLY[0]}} == *= ]]; then compopt -o nospace 2>/dev/null; fi
}}

complete -F {function} {program}
",
        files = pattern(Value::File),
        directories = pattern(Value::Directory),
        words = words.join(" "),
    )
}

fn name(entry: &Entry) -> &str {
    &entry.names[0]
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::help::tests::TEXT;
    use super::*;

    /// Has bash complete the last of these words.
    fn complete(words: &[&str]) -> Vec<String> {
        let line = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
        let script = script("bitcoind", &Help::read(TEXT));
        let test = format!(
            "{script}\nCOMP_WORDS=({line})\nCOMP_CWORD={}\ncd /usr && {} {}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.len() - 1,
            function("bitcoind"),
            words[0]
        );
        let output = Command::new("bash").args(["--norc", "-c", &test]).output().expect("bash is there");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn bash_completes_options_and_their_values() {
        let check = |words: &[&str], expected: &[&str]| assert_eq!(complete(words), expected, "{words:?}");
        check(&["bitcoind", "-"], &["-conf=", "-daemon", "-chain=", "-datadir="]);
        check(&["bitcoind", "-da"], &["-daemon", "-datadir="]);
        check(&["bitcoind", "-datadir", "=", "/us"], &["/usr"]);
        check(&["bitcoind", "-datadir", "=", "bi"], &["bin"]);
        check(&["bitcoind", "-chain", "="], &[]);
        check(&["bitcoind", "-no-such"], &[]);
    }
}
