//! Standard output and standard error, for every program: `print!` and `eprintln!` end a program with a panic where
//! nobody can take the text (`bitcoin-cli help | true`, `2>/dev/full`), and the lints of the workspace forbid them.
//!
//! **Invariant:** a text that cannot be written changes nothing else: the program ends with the status of what it did,
//! as Bitcoin Core's programs do.

use std::fmt::Display;
use std::io::Write;

/// Writes a text to standard output, at once and without a newline of its own.
pub fn stdout(text: impl Display) {
    write(&mut std::io::stdout().lock(), text);
}

/// Writes a text to standard error, without a newline of its own.
pub fn stderr(text: impl Display) {
    write(&mut std::io::stderr().lock(), text);
}

fn write(stream: &mut impl Write, text: impl Display) {
    // In one piece, so that the lines of several processes on one terminal do not mix. Nobody is left to hear of an error.
    let _ = stream.write_all(text.to_string().as_bytes()).and_then(|()| stream.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_takes_nothing_is_no_matter() {
        let mut full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        write(&mut full, format_args!("{}\n", "text"));
        let mut taken = Vec::new();
        write(&mut taken, format_args!("{}\n", "text"));
        assert_eq!(taken, b"text\n");
    }
}
