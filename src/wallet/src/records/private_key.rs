//! Private keys in OpenSSL's DER form, in which wallet files have held them since the first version.
//!
//! **Invariant:** encoded keys are wiped when dropped.

use bitcoin::PublicKey;
use bitcoin::hex::FromHex;
use bitcoin::secp256k1::SecretKey;
use zeroize::Zeroizing;

/// Up to the private key, for a compressed public key.
const BEGIN: &str = "3081d30201010420";
/// The curve's parameters, with a compressed generator.
const MIDDLE: &str = "a08185308182020101302c06072a8648ce3d0101022100fffffffffffffffffffffffffffffffffffffffffffffffffffffffe\
fffffc2f300604010004010704210279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798022100fffffffffffffffff\
ffffffffffffffebaaedce6af48a03bbfd25e8cd0364141020101a124032200";
/// Up to the private key, for an uncompressed public key.
const BEGIN_LONG: &str = "308201130201010420";
/// The curve's parameters, with an uncompressed generator.
const MIDDLE_LONG: &str = "a081a53081a2020101302c06072a8648ce3d0101022100fffffffffffffffffffffffffffffffffffffffffffffffff\
ffffffefffffc2f300604010004010704410479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c465\
5da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8022100fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd036414\
1020101a144034200";

/// Encodes a private key together with its public key.
pub(crate) fn encode(secret: &SecretKey, public: &PublicKey) -> Zeroizing<Vec<u8>> {
    let (begin, middle) = if public.compressed { (BEGIN, MIDDLE) } else { (BEGIN_LONG, MIDDLE_LONG) };
    let mut der = Zeroizing::new(Vec::with_capacity(279));
    der.extend(Vec::<u8>::from_hex(begin).expect("the constant is hex"));
    der.extend_from_slice(&Zeroizing::new(secret.secret_bytes())[..]);
    der.extend(Vec::<u8>::from_hex(middle).expect("the constant is hex"));
    der.extend(public.to_bytes());
    der
}

/// Finds the private key in its encoded form.
pub(crate) fn decode(der: &[u8]) -> Option<SecretKey> {
    // A sequence with its length, then version 1, then the key as an octet string.
    let rest = der.strip_prefix(&[0x30])?;
    let (&length, rest) = rest.split_first()?;
    let rest = if length & 0x80 != 0 { rest.get(usize::from(length & 0x7f)..)? } else { rest };
    let rest = rest.strip_prefix(&[0x02, 0x01, 0x01, 0x04])?;
    let (&size, rest) = rest.split_first()?;
    let key = rest.get(..usize::from(size))?;
    let mut padded = Zeroizing::new([0; 32]);
    padded.get_mut(32usize.checked_sub(key.len())?..)?.copy_from_slice(key);
    SecretKey::from_slice(&padded[..]).ok()
}

#[cfg(test)]
mod tests {
    use bitcoin::secp256k1::Secp256k1;

    use super::*;

    #[test]
    fn sizes_are_cores_and_keys_come_back() {
        let secret = SecretKey::from_slice(&[0x42; 32]).unwrap();
        let inner = secret.public_key(&Secp256k1::new());
        for (public, size) in [(PublicKey::new(inner), 214), (PublicKey::new_uncompressed(inner), 279)] {
            let der = encode(&secret, &public);
            assert_eq!(der.len(), size);
            assert_eq!(decode(&der), Some(secret));
        }
        assert_eq!(decode(&[0x30]), None);
        assert_eq!(decode(&[0x30, 0x81, 0xd3, 2, 1, 1, 4, 0x20, 1]), None);
    }
}
