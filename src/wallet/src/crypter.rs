//! Encryption of private keys as Bitcoin Core does it: AES-256-CBC under a random master key, which itself is stored
//! encrypted under a key derived from the passphrase.
//!
//! **Invariant:** master keys and derived keys are in locked pages, wiped when dropped, and have no `Debug` output.

use std::time::{Duration, Instant};

use aes::Aes256;
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use cbc::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit, block_padding::Pkcs7};
use rand::RngCore;
use secret::LockedBytes;
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

use crate::serialize::{ReadError, Reader, Writer};

/// Bytes of a master key.
const KEY_SIZE: usize = 32;
/// Bytes of the salt that goes into passphrase derivation.
const SALT_SIZE: usize = 8;
/// Rounds of passphrase derivation that no wallet goes below.
const MIN_ROUNDS: u32 = 25_000;
/// How long deriving a key from a new passphrase should take on this machine.
const TARGET_DERIVATION: Duration = Duration::from_millis(100);

/// The key that encrypts all private keys of a wallet.
pub(crate) type MasterKey = LockedBytes<KEY_SIZE>;

/// A master key as stored: encrypted under a passphrase (`mkey` record).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredMasterKey {
    /// The master key, encrypted.
    pub(crate) encrypted: Vec<u8>,
    /// Salt of the passphrase derivation.
    pub(crate) salt: Vec<u8>,
    /// How the passphrase becomes a key; 0 is iterated SHA-512, the only method there is.
    pub(crate) method: u32,
    /// Rounds of the derivation.
    pub(crate) rounds: u32,
    /// Parameters of other methods; kept as found.
    pub(crate) other: Vec<u8>,
}

impl StoredMasterKey {
    /// Encrypts `master` under `passphrase` with a fresh salt.
    pub(crate) fn new(master: &MasterKey, passphrase: &str) -> Self {
        let mut salt = vec![0; SALT_SIZE];
        rand::thread_rng().fill_bytes(&mut salt);
        let rounds = measure_rounds(passphrase, &salt);
        let (key, iv) = derive(passphrase, &salt, rounds);
        StoredMasterKey { encrypted: encrypt(&key, &iv, &master[..]), salt, method: 0, rounds, other: Vec::new() }
    }

    /// Decrypts the master key; `None` if the passphrase is wrong or the record is of no known kind.
    pub(crate) fn open(&self, passphrase: &str) -> Option<MasterKey> {
        if self.method != 0 || self.rounds == 0 || self.salt.len() != SALT_SIZE {
            return None;
        }
        let (key, iv) = derive(passphrase, &self.salt, self.rounds);
        let plain = decrypt(&key, &iv, &self.encrypted)?;
        MasterKey::from_slice(&plain)
    }

    /// Serialises the record's value.
    pub(crate) fn encode(&self) -> Vec<u8> {
        Writer::default()
            .bytes(&self.encrypted)
            .bytes(&self.salt)
            .u32(self.method)
            .u32(self.rounds)
            .bytes(&self.other)
            .done()
    }

    /// Reads the record's value.
    pub(crate) fn decode(value: &[u8]) -> Result<Self, ReadError> {
        let mut reader = Reader::new(value);
        Ok(StoredMasterKey {
            encrypted: reader.bytes()?.to_vec(),
            salt: reader.bytes()?.to_vec(),
            method: reader.u32()?,
            rounds: reader.u32()?,
            other: reader.bytes()?.to_vec(),
        })
    }
}

/// Makes a random master key.
pub(crate) fn random_master_key() -> MasterKey {
    MasterKey::new(|key| rand::thread_rng().fill_bytes(key))
}

/// Encrypts a private key; the initialisation vector is the double SHA-256 of its public key.
pub(crate) fn encrypt_secret(master: &MasterKey, public: &[u8], secret: &SecretKey) -> Vec<u8> {
    let plain = Zeroizing::new(secret.secret_bytes());
    encrypt(master, &iv_of(public), &plain[..])
}

/// Decrypts a private key; `None` if the result is not the private key of `public`.
pub(crate) fn decrypt_secret(master: &MasterKey, public: &[u8], encrypted: &[u8]) -> Option<SecretKey> {
    let plain = decrypt(master, &iv_of(public), encrypted)?;
    let secret = SecretKey::from_slice(&plain).ok()?;
    let expected = PublicKey::from_slice(public).ok()?;
    (secret.public_key(&Secp256k1::signing_only()) == expected).then_some(secret)
}

fn iv_of(public: &[u8]) -> [u8; 16] {
    let hash = sha256d::Hash::hash(public).to_byte_array();
    hash[..16].try_into().expect("a hash has 32 bytes")
}

/// Derives key and initialisation vector from a passphrase: SHA-512 iterated `rounds` times.
fn derive(passphrase: &str, salt: &[u8], rounds: u32) -> (MasterKey, [u8; 16]) {
    let mut block = Zeroizing::new([0u8; 64]);
    block.copy_from_slice(&Sha512::new().chain_update(passphrase.as_bytes()).chain_update(salt).finalize());
    for _ in 1..rounds {
        let next = Sha512::digest(&block[..]);
        block.copy_from_slice(&next);
    }
    let key = MasterKey::new(|key| key.copy_from_slice(&block[..KEY_SIZE]));
    let iv = block[32..48].try_into().expect("the block has 64 bytes");
    (key, iv)
}

/// Finds how many rounds take about [`TARGET_DERIVATION`], but at least [`MIN_ROUNDS`].
fn measure_rounds(passphrase: &str, salt: &[u8]) -> u32 {
    let start = Instant::now();
    derive(passphrase, salt, MIN_ROUNDS);
    rounds_for(start.elapsed())
}

/// Returns the number of rounds for a machine that takes so long for [`MIN_ROUNDS`].
fn rounds_for(elapsed: Duration) -> u32 {
    let elapsed = elapsed.max(Duration::from_micros(1));
    let scaled = f64::from(MIN_ROUNDS) * TARGET_DERIVATION.as_secs_f64() / elapsed.as_secs_f64();
    (scaled as u32).max(MIN_ROUNDS)
}

fn encrypt(key: &MasterKey, iv: &[u8; 16], plain: &[u8]) -> Vec<u8> {
    cbc::Encryptor::<Aes256>::new((&**key).into(), iv.into()).encrypt_padded_vec_mut::<Pkcs7>(plain)
}

fn decrypt(key: &MasterKey, iv: &[u8; 16], encrypted: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    cbc::Decryptor::<Aes256>::new((&**key).into(), iv.into())
        .decrypt_padded_vec_mut::<Pkcs7>(encrypted)
        .ok()
        .map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use bitcoin::hex::FromHex;

    use super::*;

    /// Vectors of Bitcoin Core's wallet_crypto_tests.
    #[test]
    fn derives_as_core_does() {
        let salt = <[u8; 8]>::from_hex("0000deadbeef0000").unwrap();
        let (key, iv) = derive("test", &salt, 25_000);
        assert_eq!(
            (key.to_vec(), iv.to_vec()),
            (
                Vec::from_hex("fc7aba077ad5f4c3a0988d8daa4810d0d4a0e3bcb53af662998898f33df0556a").unwrap(),
                Vec::from_hex("cf2f2691526dd1aa220896fb8bf7c369").unwrap()
            )
        );
    }

    #[test]
    fn opens_with_the_right_passphrase_only() {
        let master = random_master_key();
        let stored = StoredMasterKey::new(&master, "right");
        let stored = StoredMasterKey::decode(&stored.encode()).unwrap();
        assert_eq!(stored.open("right").as_deref(), Some(&*master));
        assert_ne!(stored.open("wrong").as_deref(), Some(&*master));
        assert!(stored.rounds >= MIN_ROUNDS);
    }

    #[test]
    fn records_of_another_kind_do_not_open() {
        let master = random_master_key();
        let open = |salt: &[u8], rounds: u32, method: u32| {
            let (key, iv) = derive("right", salt, rounds);
            let encrypted = encrypt(&key, &iv, &master[..]);
            let record = StoredMasterKey { encrypted, salt: salt.to_vec(), method, rounds, other: Vec::new() };
            record.open("right").is_some_and(|opened| *opened == *master)
        };
        assert!(open(&[1; SALT_SIZE], 1, 0));
        assert!(!open(&[1; SALT_SIZE], 1, 1), "another method");
        assert!(!open(&[1; SALT_SIZE], 0, 0), "no round");
        assert!(!open(&[1; SALT_SIZE - 1], 1, 0), "a short salt");
    }

    #[test]
    fn faster_machines_do_more_rounds() {
        assert_eq!(rounds_for(Duration::from_millis(10)), 250_000);
        assert_eq!(rounds_for(Duration::from_millis(50)), 50_000);
        assert_eq!(rounds_for(Duration::from_secs(1)), MIN_ROUNDS);
        assert_eq!(rounds_for(Duration::ZERO), 2_500_000_000);
    }

    /// What `openssl enc -aes-256-cbc` makes of it.
    #[test]
    fn secrets_are_encrypted_as_core_does() {
        let secret = SecretKey::from_slice(&[1; 32]).unwrap();
        let public = secret.public_key(&Secp256k1::new()).serialize();
        let master = MasterKey::new(|key| key.fill(7));
        let expected =
            "08bc78e4d4f8d115360ed4efd68d78208ca4685b683d28484bba5f2f21738ae7ebeb53a46bdfd4acb8753613521533e1";
        assert_eq!(encrypt_secret(&master, &public, &secret), Vec::from_hex(expected).unwrap());
    }

    #[test]
    fn a_secret_decrypts_under_its_own_public_key_only() {
        let secp = Secp256k1::new();
        let (one, two) = (SecretKey::from_slice(&[1; 32]).unwrap(), SecretKey::from_slice(&[2; 32]).unwrap());
        let (public, other) = (one.public_key(&secp).serialize(), two.public_key(&secp).serialize());
        let master = random_master_key();
        let encrypted = encrypt_secret(&master, &public, &one);
        assert_eq!(decrypt_secret(&master, &public, &encrypted), Some(one));
        assert_eq!(decrypt_secret(&master, &other, &encrypted), None);
        assert_eq!(decrypt_secret(&random_master_key(), &public, &encrypted), None);
        assert_eq!(decrypt_secret(&master, &public, &encrypted[1..]), None);
    }
}
