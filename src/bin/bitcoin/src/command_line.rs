//! The wrapper's own command line: its few options, then a command, then that command's arguments.
//!
//! Separate because it is pure. Invariant: everything after the command belongs to the program and is passed on
//! unread.

use std::ffi::OsString;

/// A program behind the wrapper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The node.
    Node,
    /// The graphical interface.
    Gui,
    /// Any other, which has one form only.
    Tool {
        /// Its file name.
        name: &'static str,
        /// What is passed before the user's arguments.
        leading: &'static [&'static str],
    },
}

impl Program {
    /// The file to execute, in the split or the monolithic form.
    pub fn name(self, split: bool) -> &'static str {
        match (self, split) {
            (Program::Node, false) => "bitcoind",
            (Program::Node, true) => "bitcoin-node",
            (Program::Gui, false) => "bitcoin-qt",
            (Program::Gui, true) => "bitcoin-gui",
            (Program::Tool { name, .. }, _) => name,
        }
    }

    /// Whether there are two forms to choose from.
    pub fn has_split_form(self) -> bool {
        matches!(self, Program::Node | Program::Gui)
    }

    /// Arguments before the user's own.
    pub fn leading_args(self) -> &'static [&'static str] {
        match self {
            Program::Tool { leading, .. } => leading,
            Program::Node | Program::Gui => &[],
        }
    }
}

const fn tool(name: &'static str) -> Program {
    Program::Tool { name, leading: &[] }
}

/// `(command, program, shown in the short help, what it does)`.
const COMMANDS: &[(&str, Program, bool, &str)] = &[
    ("gui", Program::Gui, true, "Start the GUI: 'bitcoin-qt [ARGS]', or 'bitcoin-gui [ARGS]' with -m."),
    ("node", Program::Node, true, "Start the node: 'bitcoind [ARGS]', or 'bitcoin-node [ARGS]' with -m."),
    // A new interface need not be compatible, so names and positions may be mixed without asking; -nonamed undoes it.
    (
        "rpc",
        Program::Tool { name: "bitcoin-cli", leading: &["-named"] },
        true,
        "Call an RPC command: 'bitcoin-cli -named [ARGS]'.",
    ),
    ("wallet", tool("bitcoin-wallet"), true, "Call a wallet command: 'bitcoin-wallet [ARGS]'."),
    ("tx", tool("bitcoin-tx"), true, "Work on a hex-encoded transaction: 'bitcoin-tx [ARGS]'."),
    ("util", tool("bitcoin-util"), false, "Call a utility: 'bitcoin-util [ARGS]'."),
    ("bench", tool("bench_bitcoin"), false, "Run benchmarks: 'bench_bitcoin [ARGS]'."),
    ("chainstate", tool("bitcoin-chainstate"), false, "Work on a chainstate: 'bitcoin-chainstate [ARGS]'."),
    ("test", tool("test_bitcoin"), false, "Run unit tests: 'test_bitcoin [ARGS]'."),
    ("test-gui", tool("test_bitcoin-qt"), false, "Run GUI unit tests: 'test_bitcoin-qt [ARGS]'."),
];

/// What the wrapper is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Print the version.
    Version,
    /// Print all help.
    FullHelp,
    /// Print the usual help: nothing was asked for.
    ShortHelp,
    /// Start a program.
    Start(Program),
}

/// The parsed command line.
#[derive(Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// `-m` is `true`, `-M` is `false`, the last one counts.
    pub multiprocess: Option<bool>,
    /// What to do.
    pub action: Action,
    /// The program's arguments.
    pub args: Vec<OsString>,
}

/// Why the command line makes no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandLineError {
    /// An option that is not the wrapper's, before the command.
    #[error("Unknown option: {0}")]
    UnknownOption(String),
    /// A command that the wrapper does not know.
    #[error("Unrecognized command: '{0}'")]
    UnknownCommand(String),
}

impl CommandLine {
    /// Parses the words after the program's name.
    pub fn parse(words: &[OsString]) -> Result<CommandLine, CommandLineError> {
        let (mut multiprocess, mut version, mut help) = (None, false, false);
        let mut rest = words.iter();
        let mut command = None;
        for word in rest.by_ref() {
            match common::lossless::from_os(word).as_str() {
                "-m" | "--multiprocess" => multiprocess = Some(true),
                "-M" | "--monolithic" => multiprocess = Some(false),
                "-v" | "--version" => version = true,
                "-h" | "--help" | "help" => help = true,
                "" => {}
                option if option.starts_with('-') => return Err(CommandLineError::UnknownOption(option.to_owned())),
                name => {
                    command = Some(name.to_owned());
                    break;
                }
            }
        }
        let action = match command {
            _ if version => Action::Version,
            _ if help => Action::FullHelp,
            None => Action::ShortHelp,
            Some(name) => {
                let known = COMMANDS.iter().find(|(command, ..)| *command == name);
                Action::Start(known.ok_or(CommandLineError::UnknownCommand(name))?.1)
            }
        };
        Ok(CommandLine { multiprocess, action, args: rest.cloned().collect() })
    }
}

/// The help text for a wrapper called `name`.
pub fn help(name: &str, full: bool) -> String {
    let lines = |common: bool| -> String {
        let shown = COMMANDS.iter().filter(|(_, _, is_common, _)| *is_common == common);
        shown.map(|(command, _, _, what)| format!("  {:<18}{what}\n", format!("{command} [ARGS]"))).collect()
    };
    let mut text = format!(
        "Usage: {name} [OPTIONS] COMMAND...\n\n\
         Options:\n\
         \x20 -m, --multiprocess  Run the split programs bitcoin-node and bitcoin-gui.\n\
         \x20 -M, --monolithic    Run the monolithic programs bitcoind and bitcoin-qt. (Default behavior)\n\
         \x20 -v, --version       Show version information\n\
         \x20 -h, --help          Show full help message\n\n\
         Commands:\n{}  {:<18}Show full help message.\n",
        lines(true),
        "help"
    );
    if full {
        text += &format!("\nAdditional less commonly used commands:\n{}", lines(false));
    } else {
        text += &format!("\nRun '{name} help' to see additional commands (e.g. for testing and debugging).\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[track_caller]
    fn check(line: &str, expected: Result<(Option<bool>, Action, &str), CommandLineError>) {
        let expected =
            expected.map(|(multiprocess, action, args)| CommandLine { multiprocess, action, args: words(args) });
        assert_eq!(CommandLine::parse(&words(line)), expected, "{line}");
    }

    #[test]
    fn command_lines() {
        let node = Action::Start(Program::Node);
        check("", Ok((None, Action::ShortHelp, "")));
        check("-m", Ok((Some(true), Action::ShortHelp, "")));
        check("help", Ok((None, Action::FullHelp, "")));
        check("-h node", Ok((None, Action::FullHelp, "")));
        check("--version", Ok((None, Action::Version, "")));
        check("node", Ok((None, node, "")));
        check("-m node -regtest -version", Ok((Some(true), node, "-regtest -version")));
        check("-m -M node", Ok((Some(false), node, "")));
        check("--multiprocess gui -m", Ok((Some(true), Action::Start(Program::Gui), "-m")));
        check("rpc help -h", Ok((None, Action::Start(COMMANDS[2].1), "help -h")));
        check("-regtest node", Err(CommandLineError::UnknownOption("-regtest".to_owned())));
        check("frob", Err(CommandLineError::UnknownCommand("frob".to_owned())));
    }

    #[track_caller]
    fn check_program(command: &str, split: bool, expected: &[&str]) {
        let Action::Start(program) = CommandLine::parse(&words(command)).unwrap().action else {
            panic!("{command} starts nothing");
        };
        let built: Vec<&str> =
            std::iter::once(program.name(split)).chain(program.leading_args().iter().copied()).collect();
        assert_eq!(built, expected, "{command} split={split}");
    }

    #[test]
    fn programs() {
        check_program("node", false, &["bitcoind"]);
        check_program("node", true, &["bitcoin-node"]);
        check_program("gui", false, &["bitcoin-qt"]);
        check_program("gui", true, &["bitcoin-gui"]);
        check_program("rpc", true, &["bitcoin-cli", "-named"]);
        check_program("wallet", false, &["bitcoin-wallet"]);
        check_program("tx", false, &["bitcoin-tx"]);
        check_program("util", false, &["bitcoin-util"]);
    }

    #[test]
    fn help_lists_every_command() {
        let (short, full) = (help("bitcoin", false), help("bitcoin", true));
        for (command, _, common, _) in COMMANDS {
            let line = format!("\n  {command} [ARGS]");
            assert!(full.contains(&line), "{command}");
            assert_eq!(short.contains(&line), *common, "{command}");
        }
        assert!(short.ends_with("Run 'bitcoin help' to see additional commands (e.g. for testing and debugging).\n"));
    }
}
