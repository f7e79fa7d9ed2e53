//! A data directory's key and certificate: made at first use, never replaced.
//!
//! **Invariant:** no other user can read the key at any moment, and two programs that want the first one at the same time
//! get the same.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::retry_on_intr;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Error, Fingerprint, Result};

/// Name of the file.
const FILE: &str = "key.pem";

/// Longest file that is read.
const SIZE: u64 = 1 << 16;

/// A private key and the certificate that shows it.
pub(crate) struct Credentials {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Credentials {
    /// Reads those in a directory, after making them if they are not there.
    pub(crate) fn load_or_make(dir: &Path) -> Result<Credentials> {
        let path = dir.join(FILE);
        match Self::load(&path) {
            Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                make(dir, &path, |file, name| fs::hard_link(file, name))?;
                Self::load(&path)
            }
            loaded => loaded,
        }
    }

    fn load(path: &Path) -> Result<Credentials> {
        let text = read_private(path, 0o077, SIZE)?;
        let broken = || Error::NoKey { path: path.to_owned() };
        let certificate = CertificateDer::from_pem_slice(&text).map_err(|_| broken())?;
        let key = PrivateKeyDer::from_pem_slice(&text).map_err(|_| broken())?;
        Ok(Credentials { certificate, key })
    }

    /// Returns what the other side knows this one by.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }

    /// Returns the certificate as what is sent.
    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.clone()]
    }

    /// Returns a copy of the key.
    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }
}

/// Reads a file that no other user may have written, nor may have the rights in `closed`.
pub(super) fn read_private(path: &Path, closed: u32, limit: u64) -> Result<Vec<u8>> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    let ours = found.uid() == 0 || found.uid() == rustix::process::geteuid().as_raw();
    if !found.is_file() || !ours || found.mode() & closed != 0 {
        return Err(Error::Open { path: path.to_owned() });
    }
    let mut text = Vec::new();
    file.take(limit).read_to_end(&mut text).map_err(failed)?;
    Ok(text)
}

/// Gives a file another name.
type Link = fn(&Path, &Path) -> io::Result<()>;

/// Makes a key, unless another program is faster.
fn make(dir: &Path, path: &Path, link: Link) -> Result<()> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let failed = |source| Error::File { path: path.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
    let text = generate().map_err(|error| Error::Make { reason: error.to_string() })?;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let draft = dir.join(format!("{FILE}.{}.{count}", std::process::id()));
    // One that is left from a program with this number that was killed here.
    let _ = fs::remove_file(&draft);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(failed)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let placed = written.and_then(|()| File::open(dir)).and_then(|dir| {
        place(&draft, path, &dir, link)?;
        dir.sync_all()
    });
    // Is gone already if it was renamed.
    let _ = fs::remove_file(&draft);
    placed.map_err(failed)
}

/// Gives a file in the directory `dir` its name, unless that is taken.
fn place(draft: &Path, path: &Path, dir: &File, link: Link) -> io::Result<()> {
    // Fails if the name is taken, unlike renaming.
    match link(draft, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {}
        _ => return Ok(()),
    }
    // Where files cannot have two names, they cannot for any other program either, so that all of them come here.
    retry_on_intr(|| flock(dir, FlockOperation::LockExclusive))?;
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::rename(draft, path),
        found => found.map(drop),
    }
}

/// Makes a key and a certificate that says nothing about who has it.
fn generate() -> std::result::Result<String, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "ipc");
    let certificate = params.self_signed(&key)?;
    Ok(key.serialize_pem() + &certificate.pem())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::tls::pins::tests::directory;

    #[test]
    fn made_once_and_for_its_owner_alone() {
        let dir = directory("credentials").join("new");
        let made: Vec<_> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| Credentials::load_or_make(&dir).unwrap())).collect();
            all.into_iter().map(|one| one.join().unwrap().fingerprint()).collect()
        });
        assert!(made.iter().all(|one| *one == made[0]), "{made:?}");
        let names: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [FILE]);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&dir.join(FILE))), (0o700, 0o600));
        assert_eq!(Credentials::load_or_make(&dir).unwrap().fingerprint(), made[0]);
    }

    #[test]
    fn made_once_where_files_have_one_name() {
        let dir = directory("single");
        let path = dir.join(FILE);
        let made: Vec<_> = std::thread::scope(|scope| {
            let make_one = || {
                make(&dir, &path, |_, _| Err(io::ErrorKind::PermissionDenied.into())).unwrap();
                Credentials::load(&path).unwrap().fingerprint()
            };
            let all: Vec<_> = (0..8).map(|_| scope.spawn(make_one)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(made.iter().all(|one| *one == made[0]), "{made:?}");
        let names: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [FILE]);
    }

    #[test]
    fn what_is_wrong_is_left_alone() {
        let dir = directory("broken");
        let path = dir.join(FILE);
        let check = |expected: &str| {
            let error = Credentials::load_or_make(&dir).err().unwrap().to_string();
            assert_eq!(error, expected.replace("PATH", &path.display().to_string()));
        };
        fs::write(&path, "precious").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        check("PATH must belong to this user and be closed to others (chmod 600)");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        check("PATH holds no key with a certificate; move it away to have a new one made");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        check("PATH must belong to this user and be closed to others (chmod 600)");
    }
}
