//! Names and version numbers that programs, logs and peers see.

use std::sync::OnceLock;

/// Name of the software, in `-version`, `stop` and log lines.
pub const CLIENT_NAME: &str = "Bitcoin Core";
/// Name in the subversion sent to peers.
pub const UA_NAME: &str = "Satoshi";
/// The version as one number, as `getnetworkinfo` reports it.
pub const CLIENT_VERSION: u32 = 319_900;
/// Version without the name.
pub const VERSION: &str = "v31.99.0";

/// Commit and build details, set once by the program from what its build script found.
static BUILD_DETAILS: OnceLock<String> = OnceLock::new();

/// Records commit and build details for [`full_version`] and [`version_text`]; the first call counts.
pub fn set_build_details(details: &str) {
    BUILD_DETAILS.get_or_init(|| details.to_owned());
}

/// Returns commit and build details, empty if none were recorded.
pub fn build_details() -> &'static str {
    BUILD_DETAILS.get().map_or("", String::as_str)
}

/// Returns the version with its commit, where known: `v31.99.0-0123456789ab`.
pub fn full_version() -> String {
    match BUILD_DETAILS.get().and_then(|details| details.split_whitespace().next()) {
        Some(commit) => format!("{VERSION}-{commit}"),
        None => VERSION.to_owned(),
    }
}

/// Returns the subversion of BIP 14: `/Satoshi:31.99.0(comment; comment)/`.
pub fn subversion(comments: &[String]) -> String {
    let comments = if comments.is_empty() { String::new() } else { format!("({})", comments.join("; ")) };
    format!("/{UA_NAME}:{}{comments}/", VERSION.trim_start_matches('v'))
}

/// Returns the first line of help and version texts; `title` is e.g. `daemon` or `RPC client`.
pub fn heading(title: &str) -> String {
    format!("{CLIENT_NAME} {title} version {}\n", full_version())
}

/// Returns what `-version` prints: heading, build details, licence.
pub fn version_text(title: &str) -> String {
    let build = BUILD_DETAILS.get().map(|details| format!("Build: {details}\n")).unwrap_or_default();
    let heading = heading(title);
    format!(
        "{heading}{build}\nThis is experimental software.\nDistributed under the MIT software license, \
         <https://opensource.org/license/MIT>\n"
    )
}

/// Returns what `-version` of a named program prints: `title` in full, e.g. `Bitcoin Core daemon`.
pub fn about(title: &str, program: &str) -> String {
    let title = title.strip_prefix(CLIENT_NAME).unwrap_or(title).trim();
    version_text(title).replacen('\n', &format!(" {program}\n"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subversions() {
        assert_eq!(subversion(&[]), "/Satoshi:31.99.0/");
        assert_eq!(subversion(&["a".to_owned(), "b".to_owned()]), "/Satoshi:31.99.0(a; b)/");
    }
}
