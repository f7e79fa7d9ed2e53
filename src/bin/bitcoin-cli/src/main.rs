//! `bitcoin-cli`.

#![forbid(unsafe_code)]

fn main() {
    std::process::exit(bitcoin_cli::run(std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect()));
}
