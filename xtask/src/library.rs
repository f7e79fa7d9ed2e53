//! Names of the library for C, which its build and its installation must agree on.
//!
//! **Invariant:** a change that programs linked to an earlier version do not survive raises [`ABI`].

/// Version of the binary interface. Functions and codes may be added under one version; nothing that is there changes.
pub const ABI: u32 = 0;

/// What compilers look for, with `-lmultiprocess`.
pub const LINK: &str = "libmultiprocess.so";

/// The same to link statically.
pub const ARCHIVE: &str = "libmultiprocess.a";

/// The name that programs ask for at run time.
#[must_use]
pub fn soname() -> String {
    format!("{LINK}.{ABI}")
}

/// The file itself. `version` is the project's; its first two numbers stay apart in the file's name.
#[must_use]
pub fn file_name(version: &str) -> String {
    let numbers: Vec<_> = version.split('.').take(2).collect();
    format!("{}.{}", soname(), numbers.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(file_name("31.99.0"), format!("libmultiprocess.so.{ABI}.31.99"));
    }
}
