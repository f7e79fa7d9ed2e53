//! What tells one signet from another (BIP325): the script its blocks must satisfy, and the message start that follows
//! from it. Apart from the engine because both are told to the user before it is loaded.

use bitcoin::ScriptBuf;
use bitcoin::consensus::serialize;
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::hex::FromHex;
use common::args::Args;

/// The public signet's script.
const DEFAULT_CHALLENGE: &str = "512103ad5e0edad18cb1f0fc0d28a3d4f1f3e445640337489abb10404f2d1e086be430210359ef5021964fe\
                                 22d6f8e05b2463c9540ce96883fe3b278760f048f5189f2e6c452ae";

/// Returns the script in hex: that of `-signetchallenge`, or the public signet's.
pub(crate) fn challenge(args: &Args) -> String {
    args.get("signetchallenge").unwrap_or_else(|| DEFAULT_CHALLENGE.to_owned()).to_lowercase()
}

/// Returns what messages of the signet with this script begin with: the start of the script's double hash.
pub(crate) fn message_start(challenge: &str) -> Option<[u8; 4]> {
    let script = ScriptBuf::from_bytes(Vec::from_hex(challenge).ok()?);
    let hash = sha256d::Hash::hash(&serialize(&script)).to_byte_array();
    hash.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_start_of_the_public_signet() {
        assert_eq!(message_start(DEFAULT_CHALLENGE), Some([0x0a, 0x03, 0xcf, 0x40]));
        assert_eq!(message_start("5"), None);
    }
}
