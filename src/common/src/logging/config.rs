//! The options of the log.

use std::path::PathBuf;

use super::category::{CATEGORIES, Categories};
use super::format::Format;
use crate::args::Args;

const LEVELS: &str = "info, debug, trace";

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// `-debug` or `-debugexclude` names no category.
    #[error("Unsupported logging category -{option}={category}.")]
    UnknownCategory {
        /// The option.
        option: &'static str,
        /// What it names.
        category: String,
    },
    /// `-loglevel` names no level.
    #[error("Unsupported global logging level -loglevel={0}. Valid values: {LEVELS}.")]
    UnknownLevel(String),
    /// `-loglevel` names no category or level.
    #[error(
        "Unsupported category-specific logging level -loglevel={0}. Expected -loglevel=<category>:<loglevel>. Valid \
         categories: {categories}. Valid loglevels: {LEVELS}.",
        categories = CATEGORIES.join(", ")
    )]
    UnknownCategoryLevel(String),
    /// The file cannot be opened.
    #[error("Could not open debug log file {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: std::io::Error,
    },
}

/// Where the log goes and what its lines show.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file, if any.
    pub file: Option<PathBuf>,
    /// Also write to standard output.
    pub console: bool,
    /// Cut the beginning off a large file first.
    pub shrink: bool,
    /// Limit what one source line may write to the file.
    pub rate_limit: bool,
    pub(super) format: Format,
}

impl Options {
    /// Takes the options; `no_debug` says whether no category is enabled, in which case a large file is cut.
    pub fn from_args(args: &Args, no_debug: bool) -> Self {
        Options {
            file: args.net_path("debuglogfile", "debug.log"),
            console: args.opt_bool("printtoconsole").unwrap_or_else(|| !args.get_bool("daemon")),
            shrink: args.opt_bool("shrinkdebugfile").unwrap_or(no_debug),
            rate_limit: args.get_bool("logratelimit"),
            format: Format {
                timestamps: args.get_bool("logtimestamps"),
                time_micros: args.get_bool("logtimemicros"),
                thread_names: args.get_bool("logthreadnames"),
                source_locations: args.get_bool("logsourcelocations"),
                level_always: args.get_bool("loglevelalways"),
            },
        }
    }
}

/// Enables the categories and sets the levels that options ask for.
pub(super) fn apply_categories(args: &Args, state: &Categories) -> Result<(), LoggingError> {
    for text in args.get_all("loglevel") {
        match text.split_once(':') {
            None if state.set_level(&text) => {}
            None => return Err(LoggingError::UnknownLevel(text)),
            Some((category, level)) if state.set_category_level(category, level) => {}
            Some(_) => return Err(LoggingError::UnknownCategoryLevel(text)),
        }
    }
    let asked = args.get_all("debug");
    // What comes before "none" does not count.
    let first = asked.iter().rposition(|name| name == "0" || name == "none").map_or(0, |last| last + 1);
    let enable = asked.into_iter().skip(first).map(|category| ("debug", category, true));
    let exclude = args.get_all("debugexclude").into_iter().map(|category| ("debugexclude", category, false));
    for (option, category, on) in enable.chain(exclude) {
        if !state.set(&category, on) {
            return Err(LoggingError::UnknownCategory { option, category });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Program;

    #[test]
    fn categories_from_options() {
        let check = |options: &[&str], expected: Result<&str, &str>| {
            let argv = std::iter::once("bitcoind").chain(options.iter().copied());
            let args = Args::parse(Program::Bitcoind, argv).unwrap();
            let state = Categories::new();
            let result = apply_categories(&args, &state).map_err(|error| error.to_string());
            let enabled: Vec<&str> =
                CATEGORIES.iter().enumerate().filter(|(at, _)| state.is_enabled(*at)).map(|(_, name)| *name).collect();
            assert_eq!(result.map(|()| enabled.join(",")), expected.map(str::to_owned).map_err(str::to_owned));
        };
        let all = CATEGORIES.join(",");
        check(&[], Ok(""));
        check(&["-debug"], Ok(&all));
        check(&["-debug=1"], Ok(&all));
        check(&["-debug=net", "-debug=rpc"], Ok("net,rpc"));
        check(&["-debug=net", "-debug=none", "-debug=rpc"], Ok("rpc"));
        check(&["-debug=net", "-debug=0"], Ok(""));
        check(&["-nodebug"], Ok(""));
        check(&["-debug=net", "-debug=rpc", "-debugexclude=net"], Ok("rpc"));
        check(&["-debug=abc"], Err("Unsupported logging category -debug=abc."));
        check(&["-debugexclude=abc"], Err("Unsupported logging category -debugexclude=abc."));
        check(
            &["-loglevel=abc"],
            Err("Unsupported global logging level -loglevel=abc. Valid values: info, debug, trace."),
        );
        let categories = CATEGORIES.join(", ");
        check(
            &["-loglevel=net:abc"],
            Err(&format!(
                "Unsupported category-specific logging level -loglevel=net:abc. Expected \
                 -loglevel=<category>:<loglevel>. Valid categories: {categories}. Valid loglevels: info, debug, trace."
            )),
        );
    }
}
