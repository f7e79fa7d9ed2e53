//! What the system says of a call that failed, in the form Bitcoin Core's texts end with: words, and the number in
//! parentheses. One place, because Rust writes the number in a form of its own that no client knows.

use std::io;

/// Describes an error of the system, such as `No such file or directory (2)`. One that is not the system's is described
/// as it describes itself.
pub fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    match error.raw_os_error() {
        Some(number) => format!("{} ({number})", text.strip_suffix(&format!(" (os error {number})")).unwrap_or(&text)),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_words_and_numbers() {
        let missing = std::fs::read("/no/such/file").unwrap_err();
        assert_eq!(describe(&missing), "No such file or directory (2)");
        assert_eq!(describe(&io::Error::other("something else")), "something else");
    }
}
