//! Who may ask: users with their hashed passwords, and what each may run.

use std::collections::{BTreeSet, HashMap};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::lossless;
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::Sha256;

use super::ServerError;
use super::config::ServerConfig;
use super::cookie::{self, CookieFile};
use crate::json::hex;

/// User and password of a request.
pub(super) struct Attempt {
    /// Both, with a colon in between.
    credentials: Vec<u8>,
    colon: usize,
}

impl Attempt {
    /// Reads an `Authorization` header.
    pub(super) fn read(header: &str) -> Option<Attempt> {
        let encoded = header.strip_prefix("Basic ")?.trim();
        let credentials = STANDARD.decode(encoded).ok()?;
        let colon = credentials.iter().position(|byte| *byte == b':')?;
        Some(Attempt { credentials, colon })
    }

    /// Returns the name of the user.
    pub(super) fn user(&self) -> &[u8] {
        &self.credentials[..self.colon]
    }

    fn password(&self) -> &[u8] {
        &self.credentials[self.colon + 1..]
    }
}

/// A user. The password is kept as HMAC-SHA256 of it with the salt's text as key, both in hexadecimal.
#[derive(Debug)]
struct User {
    name: String,
    salt: String,
    hash: String,
    /// The password was drawn at random for the cookie file.
    random: bool,
}

/// Users and what they may run.
#[derive(Debug, Default)]
pub(super) struct Auth {
    users: Vec<User>,
    whitelist: HashMap<String, BTreeSet<String>>,
    whitelist_default: bool,
}

impl Auth {
    /// Takes the users from options and, without a password there, makes the cookie file.
    pub(super) fn new(config: &ServerConfig) -> Result<(Auth, Option<CookieFile>), ServerError> {
        let mut users = Vec::new();
        let mut cookie_file = None;
        match (&config.password, &config.cookie) {
            (Some((user, password)), _) => {
                log::info!("Using rpcuser/rpcpassword authentication.");
                log::warn!(
                    "The use of rpcuser/rpcpassword is less secure, because credentials are configured in plain text. \
                     It is recommended that locally-run instances switch to cookie-based auth, or otherwise to use \
                     hashed rpcauth credentials. See share/rpcauth in the source directory for more information."
                );
                users.push(User::new(user, password, false));
            }
            (None, Some(cookie)) => {
                let (file, password) = cookie::create(cookie)?;
                log::info!("Using random cookie authentication.");
                users.push(User::new(cookie::USER, &password, true));
                cookie_file = Some(file);
            }
            (None, None) => log::info!("RPC authentication cookie file generation is disabled."),
        }
        if !config.hashed.is_empty() {
            log::info!("Using rpcauth authentication.");
        }
        for text in &config.hashed {
            users.push(User::parse(text).ok_or_else(|| {
                log::warn!("Invalid -rpcauth argument.");
                ServerError::Start
            })?);
        }
        let whitelist = parse_whitelist(&config.whitelist);
        Ok((Auth { users, whitelist, whitelist_default: config.whitelist_default }, cookie_file))
    }

    /// Returns the user whose credentials these are.
    pub(super) fn check(&self, attempt: &Attempt) -> Option<String> {
        let (name, password) = (attempt.user(), attempt.password());
        self.users
            .iter()
            .find(|user| {
                same(&lossless::to_bytes(&user.name), name)
                    && same(user.hash.as_bytes(), hash(&user.salt, password).as_bytes())
            })
            .map(|user| user.name.clone())
    }

    /// Says whether nobody can guess the password of the user that is meant, as it was drawn at random.
    pub(super) fn is_unguessable(&self, attempt: &Attempt) -> bool {
        let mut meant = self.users.iter().filter(|user| *lossless::to_bytes(&user.name) == *attempt.user()).peekable();
        meant.peek().is_some() && meant.all(|user| user.random)
    }

    /// Says whether a user may run anything at all.
    pub(super) fn may_ask(&self, user: &str) -> bool {
        !self.whitelist_default || self.whitelist.contains_key(user)
    }

    /// Says whether a user may run a command.
    pub(super) fn may_run(&self, user: &str, method: &str) -> bool {
        match self.whitelist.get(user) {
            Some(methods) => methods.contains(method),
            None => !self.whitelist_default,
        }
    }

    /// Says whether a user's commands are limited.
    pub(super) fn is_limited(&self, user: &str) -> bool {
        self.whitelist.contains_key(user)
    }
}

impl User {
    fn new(name: &str, password: &str, random: bool) -> User {
        let mut salt = [0; 16];
        rand::rngs::OsRng.fill_bytes(&mut salt);
        let salt = hex(&salt);
        let hash = hash(&salt, &lossless::to_bytes(password));
        User { name: name.to_owned(), salt, hash, random }
    }

    /// Reads `user:salt$hash`.
    fn parse(text: &str) -> Option<User> {
        let (name, rest) = text.split_once(':')?;
        let (salt, hash) = rest.split_once('$')?;
        if rest.contains(':') || hash.contains('$') {
            return None;
        }
        Some(User { name: name.to_owned(), salt: salt.to_owned(), hash: hash.to_owned(), random: false })
    }
}

fn hash(salt: &str, password: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&lossless::to_bytes(salt)).expect("HMAC takes keys of any length");
    mac.update(password);
    hex(&mac.finalize().into_bytes())
}

/// Compares in a time that does not tell where two texts differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

/// Reads `user:command,command` values; a user named twice may run what is in both.
fn parse_whitelist(values: &[String]) -> HashMap<String, BTreeSet<String>> {
    let mut whitelist: HashMap<String, BTreeSet<String>> = HashMap::new();
    for value in values {
        let Some((user, methods)) = value.split_once(':') else {
            whitelist.entry(value.clone()).or_default();
            continue;
        };
        let methods: BTreeSet<String> = methods.split([',', ' ']).map(str::to_owned).collect();
        match whitelist.get_mut(user) {
            Some(known) => *known = known.intersection(&methods).cloned().collect(),
            None => {
                whitelist.insert(user.to_owned(), methods);
            }
        }
    }
    whitelist
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(hashed: &[&str], whitelist: &[&str], whitelist_default: bool) -> Result<Auth, ServerError> {
        let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let config = ServerConfig {
            endpoints: Vec::new(),
            allowed: Vec::new(),
            password: Some(("user".to_owned(), "pass:word".to_owned())),
            cookie: None,
            hashed: list(hashed),
            whitelist: list(whitelist),
            whitelist_default,
            threads: 1,
            work_queue: 1,
            timeout: None,
        };
        Auth::new(&config).map(|(auth, _)| auth)
    }

    #[test]
    fn passwords() {
        // Made with share/rpcauth/rpcauth.py of Bitcoin Core, as its functional tests have it.
        let hashed =
            "rt:93648e835a54c573682c2eb19f882535$7681e9c5b74bdd85e78166031d2058e1069b3ed7ed967c93fc63abba06f31144";
        let auth = auth(&[hashed], &[], false).unwrap();
        let check = |credentials: &str, expected: Option<&str>| {
            let header = format!("Basic {}", STANDARD.encode(credentials));
            let user = Attempt::read(&header).and_then(|attempt| auth.check(&attempt));
            assert_eq!(user.as_deref(), expected, "{credentials}");
        };
        check("user:pass:word", Some("user"));
        check("user:password", None);
        check("user:", None);
        check("rt:cA773lm788buwYe4g4WT+05pKyNruVKjQ25x3n0DQcM=", Some("rt"));
        check("rt:wrong", None);
        check("other:pass:word", None);
        check("nocolon", None);
        for header in ["Bearer token", "Basic !!!", "Basic ", "", "basic dXNlcjpwYXNz"] {
            assert!(Attempt::read(header).is_none_or(|attempt| auth.check(&attempt).is_none()), "{header}");
        }
    }

    #[test]
    fn only_a_random_password_is_unguessable() {
        let check = |users: &[(&str, bool)], name: &str, expected: bool| {
            let users = users.iter().map(|(name, random)| User::new(name, "password", *random)).collect();
            let auth = Auth { users, ..Auth::default() };
            let attempt = Attempt::read(&format!("Basic {}", STANDARD.encode(format!("{name}:guess")))).unwrap();
            assert_eq!(auth.is_unguessable(&attempt), expected, "{name}");
        };
        check(&[("cookie", true), ("a", false)], "cookie", true);
        check(&[("cookie", true), ("a", false)], "a", false);
        check(&[("cookie", true), ("a", false)], "nobody", false);
        check(&[("cookie", true), ("cookie", false)], "cookie", false);
    }

    #[test]
    fn wrong_hashes_are_refused() {
        for text in ["foo", "foo:bar", "foo:bar:baz", "foo$bar:baz", "foo:bar$baz$qux", "foo:bar$baz:qux"] {
            assert!(auth(&[text], &[], false).is_err(), "{text}");
        }
    }

    #[test]
    fn whitelists() {
        let limited = auth(&[], &["a:help,stop", "b:", "c", "d:help,stop", "d:stop,uptime"], true).unwrap();
        let check = |user: &str, method: &str, expected: bool| {
            assert_eq!(limited.may_ask(user) && limited.may_run(user, method), expected, "{user} {method}");
        };
        check("a", "help", true);
        check("a", "uptime", false);
        check("b", "help", false);
        check("c", "help", false);
        check("d", "stop", true);
        check("d", "help", false);
        check("e", "help", false);
        let open = auth(&[], &["a:help"], false).unwrap();
        assert!(open.may_ask("e") && open.may_run("e", "stop") && !open.may_run("a", "stop"));
    }
}
