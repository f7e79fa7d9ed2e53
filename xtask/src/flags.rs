//! The command line, in one place.

use std::ffi::OsString;
use std::path::PathBuf;

xflags::xflags! {
    /// Builds, tests and checks the project.
    cmd xtask {
        /// Build the libraries and tools of depends/; the front door is `make -C depends`.
        cmd depends {
            /// install, download, download-one, clean, clean-all or print.
            required target: String
            /// VARIABLE=value pairs, and the name for download-one and print.
            repeated words: OsString
        }
        /// Choose what is built and record it; the front door is `./configure`.
        cmd configure {
            /// The options; --help among them lists them.
            repeated words: String
        }
        /// Build the programs as configured and link to them from src/.
        cmd build {
            /// Packages of the workspace to build with them.
            repeated packages: String
        }
        /// Copy programs, library and schemas into the configured prefix, under DESTDIR if that is set.
        cmd install {
            /// Leave out of the copies what only debuggers need.
            optional --strip
        }
        /// Remove what install copies.
        cmd uninstall {}
        /// Write man pages and shell completions of the built programs to target/share; `install` does so in the prefix.
        cmd manual {}
        /// Install the system packages that building and testing need.
        cmd setup {
            /// Do not ask.
            optional --yes
        }
        /// Take the machine from a fresh clone to a split node at work on regtest.
        cmd demo {
            /// Install missing system packages without asking.
            optional --yes
        }
        /// Run all tests, from a fresh clone on: Rust tests, tidy, and the functional tests in both forms.
        cmd test {
            /// Install missing system packages without asking.
            optional --yes
            /// Run all tests so many times and say how often which failed; what fails once is a fault.
            optional --repeat count: u32
        }
        /// Run the functional tests against the built programs.
        cmd functional {
            /// monolith, split or both (the default).
            optional --form form: String
            /// Run only the scripts whose name contains one of these.
            repeated filters: String
        }
        /// Kill and stop node and wallets at work, fill their disk, and look for anything that was lost. Built programs.
        cmd torment {
            /// How long in each form. The default is 1.
            optional --minutes count: u32
            /// monolith, split or both (the default).
            optional --form form: String
            /// Repeat the moments of the run that printed this, as far as chance allows.
            optional --seed number: u32
            /// Bitcoin Core's bitcoind, which has to open a copy of the wallet at the end.
            optional --peer program: PathBuf
        }
        /// Change the code where money and trust are in small ways, and say which changes no test notices.
        cmd mutants {
            /// Only where the code differs from origin/main.
            optional --changed
            /// Only in this crate: wallet, rpc or multiprocess.
            optional --package name: String
            /// Only changes whose name matches this, such as a file or a function.
            repeated --only pattern: String
        }
        /// Run the tests of the IPC runtime under AddressSanitizer, ThreadSanitizer and Miri. The
        /// last two need a nightly toolchain.
        cmd sanitize {
            /// address, thread or miri; all if none is given.
            repeated only: String
        }
        /// Write doc/compatibility.md: what there is of Bitcoin Core's RPC commands and options.
        cmd compatibility {
            /// Say only whether it is true.
            optional --check
            /// A checkout of Core: which of its tests use what is read from there.
            optional --core checkout: PathBuf
        }
        /// Check the project's own rules.
        cmd tidy {
            /// Add new schema ordinals to the golden file first.
            optional --bless
        }
        /// Build the packages of depends a second time elsewhere and compare.
        cmd reproduce {}
        /// Measure.
        cmd bench {
            /// What: node or ipc; both if not given.
            optional what: String
            /// Another bitcoind to measure node with, beside our own.
            optional --peer program: PathBuf
            /// Length of the chain for node; a tenth of it is measured too. The default is 20000.
            optional --blocks count: u32
            /// Transactions offered for acceptance. The default is 20000.
            optional --transactions count: u32
            /// Of node, only this: wallet, payments, sync, start, reindex, calls, accept or relay. May be given several
            /// times.
            repeated --only part: OsString
            /// Of node, only this column: bitcoind, bitcoin-node or peer. May be given several times.
            repeated --column name: OsString
            /// A shell command to run after the measurements of ipc, for comparison: it prints figures of its own.
            optional --compare command: OsString
            /// Measure the build of depends, cold and warm. Takes minutes.
            optional --depends
        }
    }
}
