//! One JSON-RPC request over HTTP: address, credentials, answer.
//!
//! Separate from what is asked. Invariant: a failure to reach the server is a transient error and nothing else is,
//! so that `-rpcwait` retries exactly those.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::lossless;
use serde_json::Value;

use crate::error::CliError;
use crate::options::ServerOptions;

/// A server address and the credentials source for it.
#[derive(Clone, Debug)]
pub struct Client {
    options: ServerOptions,
}

/// Where the credentials came from, for the message when the server refuses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Password,
    Cookie,
    NoCookieFile,
    CookieDisabled,
}

impl Source {
    fn refusal(self) -> &'static str {
        match self {
            Source::Password => "Incorrect rpcuser or rpcpassword were specified.",
            Source::Cookie => "Cookie file credentials were invalid and no rpcpassword was specified.",
            Source::NoCookieFile => "Failed to read cookie file and no rpcpassword was specified.",
            Source::CookieDisabled => "Cookie file was disabled via -norpccookiefile and no rpcpassword was specified.",
        }
    }
}

impl Client {
    /// A client for the server that the options name; nothing is opened yet.
    pub fn new(options: ServerOptions) -> Client {
        Client { options }
    }

    /// Sends the request that `request` makes and returns the parsed answer.
    ///
    /// The request is made only once the address is known to be good, so that the first mistake on the command line
    /// is the one reported.
    pub fn call(&self, endpoint: &str, request: impl FnOnce() -> Result<String, CliError>) -> Result<Value, CliError> {
        let (host, port) = address(&self.options)?;
        let (credentials, source) = self.credentials();
        let mut body = lossless::to_bytes(&request()?).into_owned();
        body.push(b'\n');
        let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let (status, body) =
            self.post(&format!("http://{authority}{endpoint}"), &credentials, &body).map_err(|reason| {
                CliError::Connection { host: host.clone(), port, reason: reason.replace("{host}", &host) }
            })?;
        match status {
            401 => Err(CliError::Unauthorized { reason: source.refusal(), config: self.options.config_file.clone() }),
            // Shown, and nothing else.
            503 => Err(CliError::Unavailable(String::from_utf8_lossy(&body).into_owned())),
            400 | 404 | 500 => parse(&body),
            400.. => Err(CliError::Http(status)),
            _ => parse(&body),
        }
    }

    /// Uses `password` from now on; what `-stdinrpcpass` read.
    pub fn set_password(&mut self, password: String) {
        self.options.password = password;
    }

    /// User and password, with a colon in between.
    fn credentials(&self) -> (Vec<u8>, Source) {
        let options = &self.options;
        if !options.password.is_empty() {
            let credentials = format!("{}:{}", options.user, options.password);
            return (lossless::to_bytes(&credentials).into_owned(), Source::Password);
        }
        let Some(path) = &options.cookie_file else { return (Vec::new(), Source::CookieDisabled) };
        match fs::read(path) {
            Ok(bytes) => {
                let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
                (line.to_vec(), Source::Cookie)
            }
            Err(_) => (Vec::new(), Source::NoCookieFile),
        }
    }

    fn post(&self, url: &str, credentials: &[u8], body: &[u8]) -> Result<(u16, Vec<u8>), String> {
        // The server is one the user named: no proxy from the environment, no redirect elsewhere.
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(self.options.timeout)
            .build()
            .into();
        let sent = agent
            .post(url)
            .header("Content-Type", "application/json")
            .header("Connection", "close")
            .header("Authorization", format!("Basic {}", STANDARD.encode(credentials)))
            .send(body);
        let mut response = sent.map_err(|error| reason(&error))?;
        let status = response.status().as_u16();
        let bytes = response.body_mut().with_config().limit(u64::MAX).read_to_vec().map_err(|error| reason(&error))?;
        Ok((status, bytes))
    }
}

fn reason(error: &ureq::Error) -> String {
    use std::io::ErrorKind;
    match error {
        ureq::Error::HostNotFound | ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            "Could not resolve host: {host}".to_owned()
        }
        ureq::Error::ConnectionFailed => "Could not connect to the server".to_owned(),
        ureq::Error::Timeout(_) => "timeout".to_owned(),
        ureq::Error::Io(io) => match io.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                "Could not connect to the server".to_owned()
            }
            ErrorKind::UnexpectedEof => "EOF".to_owned(),
            // Of no kind: the text is all there is to tell it by.
            _ if io.to_string().starts_with("failed to lookup address information") => {
                "Could not resolve host: {host}".to_owned()
            }
            _ => format!("Read error: {io}"),
        },
        other => format!("HTTP error: {other}"),
    }
}

fn parse(body: &[u8]) -> Result<Value, CliError> {
    if body.is_empty() {
        return Err(CliError::EmptyResponse);
    }
    common::json::parse(body).map_err(|_| CliError::UnparsableReply)
}

/// The host and port to connect to: `-rpcport`, else the port in `-rpcconnect`, else the chain's.
fn address(options: &ServerOptions) -> Result<(String, u16), CliError> {
    let invalid = |option, value: &str| CliError::InvalidPort { option, value: value.to_owned() };
    let (host, connect_port) =
        split_host_port(&options.connect).ok_or_else(|| invalid("-rpcconnect", &options.connect))?;
    let Some(given) = &options.port else {
        return Ok((host.to_owned(), connect_port.unwrap_or(options.default_port)));
    };
    let port = port_number(given).ok_or_else(|| invalid("-rpcport", given))?;
    if connect_port.is_some() {
        common::console::stderr(format_args!(
            "Warning: Port specified in both -rpcconnect and -rpcport. Using -rpcport {port}\n"
        ));
    }
    Ok((host.to_owned(), port))
}

/// Splits `host`, `host:port`, `[v6]` or `[v6]:port`; `None` where a port is there but not one.
fn split_host_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || (host.starts_with('[') && host.ends_with(']')) => {
            (host, Some(port_number(port)?))
        }
        _ => (text, None),
    };
    Some((host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host), port))
}

/// A port as Core reads one: decimal digits, 1 to 65535, no sign.
fn port_number(text: &str) -> Option<u16> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn options(connect: &str, port: Option<&str>) -> ServerOptions {
        ServerOptions {
            connect: connect.to_owned(),
            port: port.map(str::to_owned),
            default_port: 18443,
            user: String::new(),
            password: String::new(),
            cookie_file: None,
            timeout: Some(std::time::Duration::from_secs(10)),
            config_file: "bitcoin.conf".into(),
        }
    }

    #[track_caller]
    fn check(connect: &str, port: Option<&str>, expected: Result<(&str, u16), &str>) {
        let got = address(&options(connect, port)).map_err(|e| e.to_string());
        assert_eq!(got.as_ref().map(|(h, p)| (h.as_str(), *p)).map_err(String::as_str), expected, "{connect} {port:?}");
    }

    /// Makes a call to a server that answers `response` whatever it is asked; also returns what it was asked.
    fn exchange(response: &[u8], password: &str) -> (Result<Value, CliError>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let response = response.to_vec();
        let server = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n{}\n") {
                let mut part = [0; 1024];
                let count = stream.read(&mut part).unwrap();
                assert_ne!(count, 0, "the request ends early: {}", String::from_utf8_lossy(&request));
                request.extend_from_slice(&part[..count]);
            }
            stream.write_all(&response).unwrap();
            String::from_utf8(request).unwrap()
        });
        let mut client = Client::new(options(&format!("127.0.0.1:{port}"), None));
        client.set_password(password.to_owned());
        let answer = client.call("/wallet/a%20b", || Ok("{}".to_owned()));
        (answer, server.join().unwrap())
    }

    #[track_caller]
    fn check_answer(response: &str, expected: Result<&str, &str>) {
        let (answer, _) = exchange(response.as_bytes(), "x");
        let got = answer.map(|value| value.to_string()).map_err(|error| error.to_string());
        match expected {
            Ok(json) => assert_eq!(got.as_deref(), Ok(json), "{response:?}"),
            Err(part) => assert!(got.as_ref().is_err_and(|e| e.contains(part)), "{response:?}: {got:?}"),
        }
    }

    #[test]
    fn answers() {
        let with =
            |status: &str, body: &str| format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        check_answer(&with("200 OK", r#"{"result":1.00}"#), Ok(r#"{"result":1.00}"#));
        check_answer(&with("500 Oops", r#"{"error":{}}"#), Ok(r#"{"error":{}}"#));
        check_answer(&with("404 Not Found", r#"{"error":{}}"#), Ok(r#"{"error":{}}"#));
        check_answer(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{\"\r\n5\r\na\":1}\r\n0\r\n\r\n",
            Ok(r#"{"a":1}"#),
        );
        check_answer("HTTP/1.0 200 OK\r\n\r\n[]", Ok("[]"));
        check_answer(&with("200 OK", ""), Err("no response from server"));
        check_answer(&with("200 OK", "<html>"), Err("couldn't parse reply from server"));
        check_answer(&with("503 Busy", "Work queue depth exceeded"), Err("Server response: Work queue depth exceeded"));
        check_answer(&with("403 Forbidden", ""), Err("server returned HTTP error 403"));
        check_answer(
            &with("401 No", ""),
            Err("Authorization failed: Incorrect rpcuser or rpcpassword were specified."),
        );
        check_answer("", Err("Error while attempting to communicate with server 127.0.0.1:"));
        check_answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", Err("Error while attempting to communicate"));
        check_answer("garbage\r\n\r\n", Err("(HTTP error: "));
    }

    #[test]
    fn request_head() {
        let (_, request) = exchange(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "pass:word");
        let head = request.to_ascii_lowercase();
        assert!(request.starts_with("POST /wallet/a%20b HTTP/1.1\r\n"), "{request}");
        for line in ["content-type: application/json", "content-length: 3", "connection: close"] {
            assert!(head.contains(&format!("\r\n{line}\r\n")), "{line} is missing in {request}");
        }
        assert!(request.contains(&format!("Basic {}\r\n", STANDARD.encode(":pass:word"))), "{request}");
    }

    #[test]
    fn only_an_unreachable_server_is_worth_waiting_for() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = Client::new(options(&free.to_string(), None)).call("/", || Ok(String::new())).unwrap_err();
        assert!(error.is_transient() && error.to_string().contains("(Could not connect to the server)"), "{error}");
        let (refused, _) = exchange(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "x");
        assert!(!refused.unwrap_err().is_transient());
    }

    #[test]
    fn addresses() {
        check("127.0.0.1", None, Ok(("127.0.0.1", 18443)));
        check("127.0.0.1:7", None, Ok(("127.0.0.1", 7)));
        check("127.0.0.1:7", Some("8"), Ok(("127.0.0.1", 8)));
        check("localhost", Some("8"), Ok(("localhost", 8)));
        check("::1", None, Ok(("::1", 18443)));
        check("[::1]", None, Ok(("::1", 18443)));
        check("[::1]:9", None, Ok(("::1", 9)));
        for bad in ["127.0.0.1:notaport", "127.0.0.1:-1", "127.0.0.1:0", "127.0.0.1:65536", "[::1]:0", "[::1]:x", "a:"]
        {
            check(bad, None, Err(&format!("Invalid port provided in -rpcconnect: {bad}")));
        }
        for bad in ["notaport", "-1", "0", "65536", "+1", ""] {
            check("127.0.0.1", Some(bad), Err(&format!("Invalid port provided in -rpcport: {bad}")));
        }
    }
}
