//! The table of options: one row gives name, form, programs, category, kind, default, help and the rules for it.

mod cli;
mod connection;
mod debug;
mod general;
mod server;
mod wallet;

use std::collections::HashMap;
use std::sync::OnceLock;

/// Groups of rows; help sorts them anew.
pub static OPTIONS: &[&[Opt]] =
    &[general::ROWS, connection::ROWS, debug::ROWS, server::ROWS, wallet::ROWS, cli::ROWS, cli::WALLET_TOOL_ROWS];

/// A program that takes options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Everything in one process.
    Bitcoind,
    /// The node with its wallet in another process; also the rows for a process that gets its options from one.
    BitcoinNode,
    /// The RPC client.
    BitcoinCli,
    /// The wallet process, and the offline wallet tool.
    BitcoinWallet,
}

impl Program {
    const fn bit(self) -> u8 {
        match self {
            Program::Bitcoind => 1,
            Program::BitcoinNode => 2,
            Program::BitcoinCli => 4,
            Program::BitcoinWallet => 8,
        }
    }

    /// Returns the name of the executable.
    pub const fn name(self) -> &'static str {
        match self {
            Program::Bitcoind => "bitcoind",
            Program::BitcoinNode => "bitcoin-node",
            Program::BitcoinCli => "bitcoin-cli",
            Program::BitcoinWallet => "bitcoin-wallet",
        }
    }

    /// Says whether the words after the options are not looked up in the table.
    pub(super) fn takes_any_word(self) -> bool {
        self != Program::BitcoinWallet
    }

    /// Says whether words that are no options are an error.
    pub(super) fn takes_no_words(self) -> bool {
        matches!(self, Program::Bitcoind | Program::BitcoinNode)
    }
}

/// Programs of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Programs(u8);

const DAEMONS: Programs = Programs(Program::Bitcoind.bit() | Program::BitcoinNode.bit());
const NODE_ONLY: Programs = Programs(Program::BitcoinNode.bit());
const CLI: Programs = Programs(Program::BitcoinCli.bit());
const WALLET_TOOL: Programs = Programs(Program::BitcoinWallet.bit());
const ALL: Programs = Programs(DAEMONS.0 | CLI.0 | WALLET_TOOL.0);

/// Section of the help text, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the titles below say what each is")]
pub enum Category {
    Options,
    Connection,
    Zmq,
    DebugTest,
    Chain,
    NodeRelay,
    BlockCreation,
    Rpc,
    Wallet,
    WalletDebugTest,
    Commands,
    CommandOptions,
    CliCommands,
    Ipc,
    Hidden,
}

impl Category {
    /// Returns the title in the help text; empty for rows that are not shown there by themselves.
    pub const fn title(self) -> &'static str {
        match self {
            Category::Options => "Options:",
            Category::Connection => "Connection options:",
            Category::Zmq => "ZeroMQ notification options:",
            Category::DebugTest => "Debugging/Testing options:",
            Category::Chain => "Chain selection options:",
            Category::NodeRelay => "Node relay options:",
            Category::BlockCreation => "Block creation options:",
            Category::Rpc => "RPC server options:",
            Category::Wallet => "Wallet options:",
            Category::WalletDebugTest => "Wallet debugging/testing options:",
            Category::Commands => "Commands:",
            Category::CliCommands => "CLI Commands:",
            Category::Ipc => "IPC interprocess connection options:",
            Category::CommandOptions | Category::Hidden => "",
        }
    }
}

/// What the value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A boolean; may be given without a value.
    Bool,
    /// An integer.
    Int,
    /// Text.
    Str,
    /// A path.
    Path,
    /// Text, any number of times.
    Multi,
    /// No option but a command of a tool.
    Command,
}

/// The value of an option that is not given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OptDefault {
    /// None, or one that depends on other options or on the chain; the help text then says so.
    None,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// Text.
    Str(&'static str),
}

/// One option.
#[derive(Debug, Clone, Copy)]
pub struct Opt {
    /// Name without the dash.
    pub name: &'static str,
    /// What follows the name in the help text, e.g. `=<n>`.
    pub form: &'static str,
    /// Programs that take it.
    programs: Programs,
    /// Section of the help text.
    pub category: Category,
    /// Kind of value.
    pub kind: Kind,
    /// Default.
    pub default: OptDefault,
    /// Description; the default is appended by the help.
    pub help: &'static str,
    /// Shown by `-help-debug` only.
    pub debug_only: bool,
    /// In the top section of a configuration file it counts for the main chain only.
    pub network_only: bool,
    /// Its value is never logged nor handed to another process.
    pub sensitive: bool,
    /// `-noname` is an error.
    pub disallow_negation: bool,
    /// `-name` without a value is an error.
    pub disallow_elision: bool,
    /// What happens where it asks for something that is not there yet; `None` if it has its effect.
    pub missing: Option<Missing>,
}

/// What happens when an option asks for something this version does not have, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It tunes: nobody is worse off without it than with a node of that default. The log names it at the start.
    Ignored(&'static str),
    /// It promises privacy, safety or data that software waits for: the node does not start.
    Refused {
        /// What would happen if the node started all the same.
        reason: &'static str,
        /// Values that ask for nothing, besides a negation.
        off: &'static [&'static str],
    },
}

impl Opt {
    /// Says whether it is a tool's command and not an option.
    pub fn is_command(&self) -> bool {
        self.kind == Kind::Command
    }

    const fn debug(mut self) -> Self {
        self.debug_only = true;
        self
    }

    const fn network_only(mut self) -> Self {
        self.network_only = true;
        self
    }

    const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    const fn no_negation(mut self) -> Self {
        self.disallow_negation = true;
        self
    }

    const fn no_elision(mut self) -> Self {
        self.disallow_elision = true;
        self
    }

    /// Tunes something that is not there.
    const fn ignored(mut self, reason: &'static str) -> Self {
        self.missing = Some(Missing::Ignored(reason));
        self
    }

    /// Promises something that is not there.
    const fn refused(mut self, reason: &'static str) -> Self {
        self.missing = Some(Missing::Refused { reason, off: &["0"] });
        self
    }

    /// The same, for an option that asks for nothing if its value is empty.
    const fn refused_unless_empty(mut self, reason: &'static str) -> Self {
        self.missing = Some(Missing::Refused { reason, off: &["0", ""] });
        self
    }

    const fn bool(mut self, default: bool) -> Self {
        self.kind = Kind::Bool;
        self.default = OptDefault::Bool(default);
        self
    }

    const fn int(mut self, default: i64) -> Self {
        self.kind = Kind::Int;
        self.default = OptDefault::Int(default);
        self
    }

    const fn str(mut self, default: &'static str) -> Self {
        self.default = OptDefault::Str(default);
        self
    }

    const fn path(mut self, default: &'static str) -> Self {
        self.kind = Kind::Path;
        self.default = OptDefault::Str(default);
        self
    }

    const fn multi(mut self) -> Self {
        self.kind = Kind::Multi;
        self
    }
}

/// A row with text for a value.
const fn opt(
    name: &'static str,
    form: &'static str,
    programs: Programs,
    category: Category,
    help: &'static str,
) -> Opt {
    Opt {
        name,
        form,
        programs,
        category,
        kind: Kind::Str,
        default: OptDefault::None,
        help,
        debug_only: false,
        network_only: false,
        sensitive: false,
        disallow_negation: false,
        disallow_elision: false,
        missing: None,
    }
}

/// A row with a boolean for a value.
const fn flag(name: &'static str, programs: Programs, category: Category, help: &'static str) -> Opt {
    let mut row = opt(name, "", programs, category, help);
    row.kind = Kind::Bool;
    row
}

/// A row that is accepted and not shown.
const fn hidden(name: &'static str, programs: Programs) -> Opt {
    opt(name, "", programs, Category::Hidden, "")
}

/// Returns the row of a name for a program.
pub(super) fn find(program: Program, name: &str) -> Option<&'static Opt> {
    static INDEX: OnceLock<HashMap<&'static str, Vec<&'static Opt>>> = OnceLock::new();
    let index = INDEX.get_or_init(|| {
        let mut index: HashMap<_, Vec<_>> = HashMap::new();
        for row in OPTIONS.iter().copied().flatten() {
            index.entry(row.name).or_default().push(row);
        }
        index
    });
    index.get(name)?.iter().copied().find(|row| row.programs.0 & program.bit() != 0)
}

/// Returns the rows of a program.
pub(super) fn of(program: Program) -> impl Iterator<Item = &'static Opt> {
    OPTIONS.iter().copied().flatten().filter(move |row| row.programs.0 & program.bit() != 0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn rows_are_well_formed() {
        for program in [Program::Bitcoind, Program::BitcoinNode, Program::BitcoinCli, Program::BitcoinWallet] {
            let mut names = BTreeSet::new();
            for row in of(program) {
                assert!(names.insert(row.name), "{} has two rows for {}", program.name(), row.name);
                assert!(!row.name.starts_with('-') && !row.name.contains('='), "{}", row.name);
                assert!(row.form.is_empty() || row.form.starts_with('='), "{}", row.name);
                assert_eq!(row.help.is_empty(), row.category == Category::Hidden, "{}", row.name);
                assert!(!row.help.ends_with('.'), "{}: the default follows the text", row.name);
                assert!(!row.help.contains("(default"), "{}: the default comes from the row", row.name);
                if let Some(Missing::Ignored(reason) | Missing::Refused { reason, .. }) = row.missing {
                    assert!(!reason.is_empty() && !reason.ends_with('.') && !reason.contains('\n'), "{}", row.name);
                }
            }
        }
    }
}
