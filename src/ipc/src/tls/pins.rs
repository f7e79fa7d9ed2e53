//! Fingerprints of keys, the list of those that are let in, and the check of a certificate against them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use bitcoin::hashes::{Hash, sha256};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, PeerIncompatible, SignatureScheme,
};

use super::credentials::read_private;
use super::{Error, Result};

/// Name of the list of clients.
const AUTHORIZED: &str = "authorized";

/// Longest list that is read.
const SIZE: u64 = 1 << 20;

/// SHA-256 of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Returns that of a certificate.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Self {
        Fingerprint(sha256::Hash::hash(certificate).to_byte_array())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = Error;

    /// Reads 64 digits, or bytes with colons in between, as OpenSSL prints them.
    fn from_str(text: &str) -> Result<Self> {
        let digits: String = text.chars().filter(|digit| *digit != ':').collect();
        let bytes: Option<Vec<u8>> = (digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .then(|| (0..32).map_while(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).ok()).collect());
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Fingerprint).ok_or_else(|| Error::Fingerprint { text: text.to_owned() })
    }
}

/// Returns where the clients are listed that a server lets in.
pub(crate) fn authorized_path(keys: &Path) -> PathBuf {
    keys.join(AUTHORIZED)
}

/// The clients that a server lets in.
pub(super) struct Authorized(Vec<(Fingerprint, String)>);

impl Authorized {
    /// Reads the list: a fingerprint a line, and after it a name for the log. Who has the server's own key can read its
    /// data directory, and is let in.
    pub(super) fn read(keys: &Path, own: Fingerprint) -> Result<Authorized> {
        let path = authorized_path(keys);
        let text = match read_private(&path, 0o022, SIZE) {
            Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        let mut known = vec![(own, "own".to_owned())];
        for line in String::from_utf8_lossy(&text).lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, name) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            match key.parse() {
                Ok(key) => known.push((key, name.trim().to_owned())),
                Err(error) => log::warn!("{}: {error}", path.display()),
            }
        }
        Ok(Authorized(known))
    }

    pub(super) fn fingerprints(&self) -> Vec<Fingerprint> {
        self.0.iter().map(|(key, _)| *key).collect()
    }

    /// Returns what to call a client in the log: its name in the list, or the beginning of its fingerprint.
    pub(super) fn name_of(&self, found: Fingerprint) -> String {
        let name = self.0.iter().find(|(key, _)| *key == found).map(|(_, name)| name.as_str());
        match name.filter(|name| !name.is_empty()) {
            Some(name) => name.escape_debug().take(40).collect(),
            None => found.to_string().chars().take(8).collect(),
        }
    }
}

/// A certificate that is not on the list.
#[derive(Debug, thiserror::Error)]
#[error("a key with fingerprint {0} is not known")]
pub(super) struct Unpinned(pub Fingerprint);

/// Accepts certificates by their fingerprint.
#[derive(Debug)]
pub(super) struct Pins {
    accepted: Vec<Fingerprint>,
    provider: Arc<CryptoProvider>,
}

impl Pins {
    pub(super) fn new(accepted: Vec<Fingerprint>, provider: Arc<CryptoProvider>) -> Self {
        Pins { accepted, provider }
    }

    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        let found = Fingerprint::of(certificate);
        if self.accepted.contains(&found) {
            return Ok(());
        }
        Err(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Unpinned(found))))))
    }

    /// Checks that the other side has the private key, too.
    fn check_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What both sides answer to signatures of an older protocol, which is not offered.
fn too_old() -> Result<HandshakeSignatureValid, rustls::Error> {
    Err(rustls::Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered))
}

impl ServerCertVerifier for Pins {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.check(certificate).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.check_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for Pins {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.check(certificate).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.check_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A directory of this test's own.
    pub(in crate::tls) fn directory(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("ipc-tls-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).unwrap();
        dir
    }

    #[test]
    fn fingerprints_as_users_have_them() {
        let plain = "00ff".repeat(16);
        let colons = "00:FF:".repeat(16);
        let check = |text: &str, good: bool| {
            let read = text.parse::<Fingerprint>().map(|read| read.to_string());
            assert_eq!(read.ok(), good.then(|| plain.clone()), "{text}");
        };
        check(&plain, true);
        check(&plain.to_uppercase(), true);
        check(colons.trim_end_matches(':'), true);
        check(&plain[2..], false);
        check(&format!("{plain}00"), false);
        check(&plain.replace('f', "g"), false);
        check(&format!("{}é", &plain[2..]), false);
        check("", false);
    }

    #[test]
    fn the_list() {
        let dir = directory("list");
        let (own, laptop, nameless) = (Fingerprint([1; 32]), Fingerprint([2; 32]), Fingerprint([3; 32]));
        let known = |dir: &Path| Authorized::read(dir, own);
        assert_eq!(known(&dir).unwrap().fingerprints(), [own]);
        let path = authorized_path(&dir);
        fs::write(&path, format!("# who may\n\n{laptop}  my laptop\nnonsense\n  {nameless}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let list = known(&dir).unwrap();
        assert_eq!(list.fingerprints(), [own, laptop, nameless]);
        assert_eq!([own, laptop, nameless].map(|key| list.name_of(key)), ["own", "my laptop", "03030303"]);
        // What others may write, they may have written.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        assert!(matches!(known(&dir), Err(Error::Open { .. })));
    }
}
