//! JSON-RPC over one HTTP body: versions 1 and 2, batches, notifications, and the HTTP status each ends in.
//!
//! Version 1 (no `jsonrpc` member, or "1.0") reports a failed command also as an HTTP error; version 2 never does.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::StatusCode;
use serde_json::Value;

use super::auth::Auth;
use super::body::{Body, Incoming, Params};
use crate::{Registry, Request, RpcError, code};

/// The last control character of ASCII.
const DELETE: u8 = 0x7f;

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    /// Authenticated user.
    pub user: &'a str,
    /// Path of the HTTP request.
    pub uri: &'a str,
    /// Address of the client; of one in another process there is none.
    pub peer: Option<SocketAddr>,
}

/// Status and body; without a body nothing was to be said.
pub(super) type Reply = (StatusCode, Option<Vec<u8>>);

/// What of a request shapes its reply. In a batch, a request too broken to have its own keeps that of the one before.
#[derive(Debug, Clone)]
struct Envelope {
    id: Option<Value>,
    version2: bool,
}

impl Envelope {
    fn new() -> Envelope {
        Envelope { id: Some(Value::Null), version2: false }
    }

    fn is_notification(&self) -> bool {
        self.version2 && self.id.is_none()
    }

    /// Adds the reply to the end of `out`. `result` adds the result's JSON text to what is there; what it adds before it
    /// fails is taken back.
    fn reply(
        &self,
        out: &mut Vec<u8>,
        result: impl FnOnce(&mut Vec<u8>) -> Result<(), RpcError>,
    ) -> Result<(), RpcError> {
        let begin = out.len();
        let (head, tail): (&[u8], &[u8]) = match self.version2 {
            true => (br#"{"jsonrpc":"2.0","result":"#, b""),
            false => (br#"{"result":"#, br#","error":null"#),
        };
        out.extend_from_slice(head);
        if let Err(error) = result(out) {
            out.truncate(begin);
            return Err(error);
        }
        out.extend_from_slice(tail);
        self.end(out);
        Ok(())
    }

    fn failure(&self, out: &mut Vec<u8>, error: &RpcError) {
        let head: &[u8] = if self.version2 { br#"{"jsonrpc":"2.0","error":"# } else { br#"{"result":null,"error":"# };
        out.extend_from_slice(head);
        append(out, &error.to_json());
        self.end(out);
    }

    fn end(&self, out: &mut Vec<u8>) {
        if let Some(id) = &self.id {
            out.extend_from_slice(br#","id":"#);
            append(out, id);
        }
        out.push(b'}');
    }
}

/// Escapes the control character DEL, which JSON allows as it is and Bitcoin Core does not. It can be in texts only.
pub(super) fn escape_delete(reply: Vec<u8>) -> Vec<u8> {
    if !reply.contains(&DELETE) {
        return reply;
    }
    reply.split(|byte| *byte == DELETE).collect::<Vec<_>>().join(&br"\u007f"[..])
}

fn append(out: &mut Vec<u8>, value: &Value) {
    serde_json::to_writer(out, value).expect("memory takes any JSON value");
}

/// Answers one body.
pub(super) fn answer(registry: &Registry, auth: &Auth, origin: Origin<'_>, body: &[u8]) -> Reply {
    read(body).map_or_else(|reply| reply, |body| answer_read(registry, auth, origin, body))
}

/// Reads a body; the error is the answer to one that is not JSON.
pub(super) fn read(body: &[u8]) -> Result<Body, Reply> {
    common::json::read(body).map_err(|_| failed(&Envelope::new(), &RpcError::parse("Parse error")))
}

/// Says whether a body has a command that another process carries out.
pub(super) fn runs_elsewhere(registry: &Registry, body: &Body) -> bool {
    let elsewhere = |incoming: &Incoming| {
        incoming.method.as_ref().and_then(Value::as_str).is_some_and(|method| registry.runs_elsewhere(method))
    };
    match body {
        Body::One(incoming) => elsewhere(incoming),
        Body::Many(requests) => requests.iter().flatten().any(elsewhere),
        Body::Neither => false,
    }
}

/// Answers a body that was read.
pub(super) fn answer_read(registry: &Registry, auth: &Auth, origin: Origin<'_>, body: Body) -> Reply {
    let mut envelope = Envelope::new();
    let user = origin.user;
    if !auth.may_ask(user) {
        log::warn!("RPC User {user} not allowed to call any methods");
        return (StatusCode::FORBIDDEN, None);
    }
    match body {
        Body::One(request) => single(registry, auth, origin, *request),
        Body::Many(requests) => batch(registry, auth, origin, requests, &mut envelope),
        Body::Neither => failed(&envelope, &RpcError::parse("Top-level object parse error")),
    }
}

/// A single request that was read and is allowed, on its way to be carried out.
pub(super) struct Single {
    envelope: Envelope,
    request: Request,
}

impl Single {
    /// Reads a body. `None` if it is anything else, or if anything is wrong with it, for [`answer`] to say.
    pub(super) fn read(auth: &Auth, origin: Origin<'_>, body: &[u8]) -> Option<Single> {
        // A batch need not be read to its end to see that it is one.
        if *body.iter().find(|byte| !byte.is_ascii_whitespace())? != b'{' || !auth.may_ask(origin.user) {
            return None;
        }
        let Ok(Body::One(mut incoming)) = common::json::read(body) else { return None };
        let mut envelope = Envelope::new();
        let method = parse_method(&mut incoming, &mut envelope).ok()?;
        let params = parse_params(*incoming).ok()?;
        if !auth.may_run(origin.user, &method) {
            return None;
        }
        log_call(&method, origin, envelope.id.as_ref());
        Some(Single { envelope, request: request(origin, method, params) })
    }

    /// Says whether another process carries out the command.
    pub(super) fn runs_elsewhere(&self, registry: &Registry) -> bool {
        registry.runs_elsewhere(&self.request.method)
    }

    /// Has the command run elsewhere, without keeping this thread meanwhile; `None` if it is another.
    pub(super) fn start(&self, registry: &Arc<Registry>) -> Option<impl Future<Output = Reply> + Send + use<>> {
        let started = registry.start(&self.request)?;
        let envelope = self.envelope.clone();
        Some(async move {
            let result = started.await;
            envelope.answer(|out| result.map(|text| out.extend_from_slice(text.get().as_bytes())))
        })
    }

    /// Answers now if that takes next to no time and waits for nobody.
    pub(super) fn at_once(&self, registry: &Registry) -> Option<Reply> {
        let mut reply = None;
        registry.at_once(&self.request, &mut || reply = Some(self.answer(registry)));
        reply
    }

    /// Runs the command and answers.
    pub(super) fn answer(&self, registry: &Registry) -> Reply {
        self.envelope.answer(|out| registry.answer(&self.request, out))
    }
}

impl Envelope {
    /// Answers a single request.
    fn answer(&self, result: impl FnOnce(&mut Vec<u8>) -> Result<(), RpcError>) -> Reply {
        let mut out = Vec::with_capacity(ROOM);
        match self.reply(&mut out, result) {
            _ if self.is_notification() => (StatusCode::NO_CONTENT, None),
            Ok(()) => (StatusCode::OK, Some(out)),
            Err(error) if self.version2 => {
                self.failure(&mut out, &error);
                (StatusCode::OK, Some(out))
            }
            Err(error) => failed(self, &error),
        }
    }
}

/// Bytes that most answers fit into.
const ROOM: usize = 256;

fn single(registry: &Registry, auth: &Auth, origin: Origin<'_>, incoming: Incoming) -> Reply {
    let mut envelope = Envelope::new();
    let request = match parse(incoming, origin, &mut envelope) {
        Ok((method, params)) => request(origin, method, params),
        Err(error) => return failed(&envelope, &error),
    };
    if !auth.may_run(origin.user, &request.method) {
        log::warn!("RPC User {} not allowed to call method {}", origin.user, request.method);
        return (StatusCode::FORBIDDEN, None);
    }
    Single { envelope, request }.answer(registry)
}

fn batch(
    registry: &Registry,
    auth: &Auth,
    origin: Origin<'_>,
    requests: Vec<Option<Incoming>>,
    envelope: &mut Envelope,
) -> Reply {
    if auth.is_limited(origin.user) {
        for incoming in &requests {
            let Some(incoming) = incoming else {
                return failed(envelope, &RpcError::invalid_request("Invalid Request object"));
            };
            let method = incoming.method.as_ref().unwrap_or(&Value::Null);
            let Some(method) = method.as_str() else {
                return failed(envelope, &RpcError::parse(crate::json::wrong_type(method, "string")));
            };
            if !auth.may_run(origin.user, method) {
                log::warn!("RPC User {} not allowed to call method {method}", origin.user);
                return (StatusCode::FORBIDDEN, None);
            }
        }
    }
    if requests.is_empty() {
        return (StatusCode::OK, Some(b"[]".to_vec()));
    }
    let mut out = Vec::new();
    let mut request = request(origin, String::new(), Value::Null);
    for incoming in requests {
        let begin = out.len();
        out.push(if begin == 0 { b'[' } else { b',' });
        let parsed = match incoming {
            Some(incoming) => parse(incoming, origin, envelope),
            None => Err(RpcError::invalid_request("Invalid Request object")),
        };
        let result = parsed.and_then(|(method, params)| {
            (request.method, request.params) = (method, params);
            envelope.reply(&mut out, |out| registry.answer(&request, out))
        });
        match result {
            _ if envelope.is_notification() => out.truncate(begin),
            Ok(()) => {}
            Err(error) => envelope.failure(&mut out, &error),
        }
    }
    if out.is_empty() {
        return (StatusCode::NO_CONTENT, None);
    }
    out.push(b']');
    (StatusCode::OK, Some(out))
}

fn failed(envelope: &Envelope, error: &RpcError) -> Reply {
    let status = match error.code {
        code::INVALID_REQUEST => StatusCode::BAD_REQUEST,
        code::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut out = Vec::with_capacity(ROOM);
    envelope.failure(&mut out, error);
    (status, Some(out))
}

fn parse(mut incoming: Incoming, origin: Origin<'_>, envelope: &mut Envelope) -> Result<(String, Value), RpcError> {
    let method = parse_method(&mut incoming, envelope)?;
    log_call(&method, origin, envelope.id.as_ref());
    Ok((method, parse_params(incoming)?))
}

fn parse_method(incoming: &mut Incoming, envelope: &mut Envelope) -> Result<String, RpcError> {
    let invalid = |text: &str| Err(RpcError::invalid_request(text));
    envelope.id = incoming.id.take();
    envelope.version2 = match &incoming.version {
        None | Some(Value::Null) => false,
        Some(Value::String(version)) if version == "1.0" => false,
        Some(Value::String(version)) if version == "2.0" => true,
        Some(version) => {
            envelope.version2 = false;
            return invalid(if version.is_string() {
                "JSON-RPC version not supported"
            } else {
                "jsonrpc field must be a string"
            });
        }
    };
    match incoming.method.take() {
        None | Some(Value::Null) => invalid("Missing method"),
        Some(Value::String(method)) => Ok(method),
        Some(_) => invalid("Method must be a string"),
    }
}

fn parse_params(incoming: Incoming) -> Result<Value, RpcError> {
    match incoming.params {
        None => Ok(Value::Array(Vec::new())),
        Some(Params::Values(values)) => Ok(values),
        Some(Params::Repeated(name)) => {
            Err(RpcError::invalid_parameter(format!("Parameter {name} specified multiple times")))
        }
        Some(Params::Wrong) => Err(RpcError::invalid_request("Params must be an array or object")),
    }
}

fn request(origin: Origin<'_>, method: String, params: Value) -> Request {
    Request { method, params, uri: origin.uri.to_owned(), user: origin.user.to_owned(), tip: None }
}

fn log_call(method: &str, origin: Origin<'_>, id: Option<&Value>) {
    if !log::log_enabled!(target: "rpc", log::Level::Debug) {
        return;
    }
    let id = match id {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(id)) => sanitised(id),
        Some(other) => sanitised(&other.to_string()),
    };
    let (method, user) = (sanitised(method), origin.user);
    if common::logging::log_ips() {
        let peer = origin.peer.map_or_else(|| "ipc".to_owned(), |peer| peer.to_string());
        log::debug!(target: "rpc", "ThreadRPCServer method={method} user={user} peeraddr={peer} id={id}");
    } else {
        log::debug!(target: "rpc", "ThreadRPCServer method={method} user={user} id={id}");
    }
}

/// Leaves out whatever a client could send to make a log line look like another.
fn sanitised(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || " .,;-_/:?@()".contains(*c)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::server::config::ServerConfig;
    use crate::{Command, CommandSet, Table};

    static COMMANDS: &[Command<()>] = &[
        Command {
            name: "ok",
            category: "test",
            args: &[],
            description: "",
            result: &[],
            examples: &[],
            run: |(), call| Ok(json!(call.request.uri)),
        },
        Command {
            name: "fail",
            category: "test",
            args: &[],
            description: "",
            result: &[],
            examples: &[],
            run: |(), _| Err(RpcError::invalid_parameter("no")),
        },
        Command {
            name: "slow",
            category: "test",
            args: &[],
            description: "",
            result: &[],
            examples: &[],
            run: |(), _| Ok(Value::Null),
        },
    ];

    fn reply(whitelist: &[&str], body: &str) -> (u16, String) {
        let registry = Registry::new();
        registry.add(Arc::new(Table::new(Arc::new(()), &[COMMANDS])));
        registry.finish_warmup();
        let config = ServerConfig {
            endpoints: Vec::new(),
            allowed: Vec::new(),
            password: None,
            cookie: None,
            hashed: Vec::new(),
            whitelist: whitelist.iter().map(|text| (*text).to_owned()).collect(),
            whitelist_default: false,
            threads: 1,
            work_queue: 1,
            timeout: None,
        };
        let (auth, _) = Auth::new(&config).unwrap();
        let origin = Origin { user: "u", uri: "/", peer: None };
        let (status, body) = answer(&registry, &auth, origin, body.as_bytes());
        (status.as_u16(), String::from_utf8(body.unwrap_or_default()).unwrap())
    }

    #[test]
    fn version_1() {
        let check =
            |body: &str, status: u16, expected: &str| assert_eq!(reply(&[], body), (status, expected.to_owned()));
        check(r#"{"method":"ok","id":1}"#, 200, r#"{"result":"/","error":null,"id":1}"#);
        check(r#"{"method":"ok"}"#, 200, r#"{"result":"/","error":null}"#);
        check(r#"{"jsonrpc":"1.0","method":"ok","id":"x"}"#, 200, r#"{"result":"/","error":null,"id":"x"}"#);
        check(r#"{"method":"fail","id":1}"#, 500, r#"{"result":null,"error":{"code":-8,"message":"no"},"id":1}"#);
        check(
            r#"{"method":"x","id":1}"#,
            404,
            r#"{"result":null,"error":{"code":-32601,"message":"Method not found"},"id":1}"#,
        );
        for body in ["", "this is bad", "{", "\u{0}"] {
            check(body, 500, r#"{"result":null,"error":{"code":-32700,"message":"Parse error"},"id":null}"#);
        }
        check(
            "1",
            500,
            r#"{"result":null,"error":{"code":-32700,"message":"Top-level object parse error"},"id":null}"#,
        );
        let invalid = [
            (r#"{"id":1}"#, "Missing method"),
            (r#"{"id":1,"method":1}"#, "Method must be a string"),
            (r#"{"id":1,"method":"ok","params":1}"#, "Params must be an array or object"),
            (r#"{"id":1,"jsonrpc":2,"method":"ok"}"#, "jsonrpc field must be a string"),
            (r#"{"id":1,"jsonrpc":"3.0","method":"ok"}"#, "JSON-RPC version not supported"),
        ];
        for (body, text) in invalid {
            check(body, 400, &format!(r#"{{"result":null,"error":{{"code":-32600,"message":"{text}"}},"id":1}}"#));
        }
    }

    #[test]
    fn version_2() {
        let check =
            |body: &str, status: u16, expected: &str| assert_eq!(reply(&[], body), (status, expected.to_owned()));
        check(r#"{"jsonrpc":"2.0","method":"ok","id":1}"#, 200, r#"{"jsonrpc":"2.0","result":"/","id":1}"#);
        check(r#"{"jsonrpc":"2.0","method":"ok","id":null}"#, 200, r#"{"jsonrpc":"2.0","result":"/","id":null}"#);
        check(
            r#"{"jsonrpc":"2.0","method":"fail","id":1}"#,
            200,
            r#"{"jsonrpc":"2.0","error":{"code":-8,"message":"no"},"id":1}"#,
        );
        check(r#"{"jsonrpc":"2.0","method":"ok"}"#, 204, "");
        check(r#"{"jsonrpc":"2.0","method":"fail"}"#, 204, "");
    }

    /// Commands that run elsewhere; there, too, they end in what they are given or in a refusal.
    struct Elsewhere;

    impl CommandSet for Elsewhere {
        fn commands(&self) -> Vec<interfaces::RpcCommand> {
            let name = "echo".to_owned();
            vec![interfaces::RpcCommand { name, category: "test".to_owned(), hidden: false, args: Vec::new() }]
        }

        fn help(&self, _: &str) -> Option<String> {
            None
        }

        fn execute(&self, request: &Request) -> Result<Value, RpcError> {
            if request.params == json!([]) {
                Err(RpcError::invalid_parameter("no"))
            } else {
                Ok(request.params.clone())
            }
        }

        fn start(&self, request: &Request) -> Option<crate::Started> {
            let result = self.execute(request).map(|value| serde_json::value::to_raw_value(&value).unwrap());
            Some(Box::pin(std::future::ready(result)))
        }
    }

    #[test]
    fn what_runs_elsewhere_is_answered_alike() {
        let registry = Arc::new(Registry::new());
        registry.add(Arc::new(Elsewhere));
        let auth = Auth::default();
        let origin = Origin { user: "u", uri: "/", peer: None };
        let start = |body: &str| Single::read(&auth, origin, body.as_bytes())?.start(&registry);
        let body = r#"{"method":"echo","params":[1]}"#;
        assert!(start(body).is_none(), "warm-up is answered here");
        registry.finish_warmup();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for body in [
            body,
            r#" {"method":"echo","params":[1.50000000,"two",{"z":1,"a":2}],"id":"x"}"#,
            r#"{"method":"echo","params":{"named":null},"id":null}"#,
            r#"{"method":"echo","id":7}"#,
            r#"{"jsonrpc":"2.0","method":"echo","params":[1],"id":7}"#,
            r#"{"jsonrpc":"2.0","method":"echo","params":[],"id":7}"#,
            r#"{"jsonrpc":"2.0","method":"echo","params":[1]}"#,
        ] {
            let expected = answer(&registry, &auth, origin, body.as_bytes());
            assert_eq!(runtime.block_on(start(body).unwrap()), expected, "{body}");
        }
        assert_eq!(registry.active(), vec![]);
        // What is wrong with a request is said in one place.
        for body in
            ["", "[]", r#"{"method":"ok"}"#, r#"{"method":"echo","params":1}"#, r#"{"jsonrpc":2,"method":"echo"}"#]
        {
            assert!(start(body).is_none(), "{body}");
        }
    }

    #[test]
    fn what_is_answered_at_once_is_answered_alike() {
        let registry = Registry::new();
        registry.add(Arc::new(Table::new(Arc::new(()), &[COMMANDS]).at_once(&["ok", "fail"], |(), run| run())));
        registry.finish_warmup();
        let auth = Auth::default();
        let origin = Origin { user: "u", uri: "/", peer: None };
        let at_once = |body: &str| Single::read(&auth, origin, body.as_bytes())?.at_once(&registry);
        for body in [r#"{"method":"ok","id":1}"#, r#"{"jsonrpc":"2.0","method":"ok"}"#, r#"{"method":"fail","id":1}"#] {
            assert_eq!(at_once(body), Some(answer(&registry, &auth, origin, body.as_bytes())), "{body}");
        }
        for body in [r#"{"method":"slow"}"#, r#"{"method":"x"}"#, r#"[{"method":"ok"}]"#] {
            assert_eq!(at_once(body), None, "{body}");
        }
        let busy = Table::new(Arc::new(()), &[COMMANDS]).at_once(&["ok"], |(), _| ());
        let registry = Registry::new();
        registry.add(Arc::new(busy));
        registry.finish_warmup();
        let body = br#"{"method":"ok"}"#;
        assert_eq!(Single::read(&auth, origin, body).unwrap().at_once(&registry), None);
    }

    #[test]
    fn batches() {
        let check =
            |body: &str, status: u16, expected: &str| assert_eq!(reply(&[], body), (status, expected.to_owned()));
        check("[]", 200, "[]");
        check(
            r#"[{"method":"ok","id":1},{"jsonrpc":"2.0","method":"x","id":2},{"jsonrpc":"2.0","method":"ok"},5]"#,
            200,
            concat!(
                r#"[{"result":"/","error":null,"id":1},"#,
                r#"{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":2}]"#
            ),
        );
        check(r#"[{"jsonrpc":"2.0","method":"ok"}]"#, 204, "");
        check(
            r#"[{"jsonrpc":"2.0","method":"ok"},{"method":"fail"},{"jsonrpc":"2.0","method":"fail"},{"method":"ok"}]"#,
            200,
            r#"[{"result":null,"error":{"code":-8,"message":"no"}},{"result":"/","error":null}]"#,
        );
    }

    #[test]
    fn limited_users() {
        let check = |body: &str, status: u16| assert_eq!(reply(&["u:ok"], body).0, status, "{body}");
        check(r#"{"method":"ok"}"#, 200);
        check(r#"{"method":"fail"}"#, 403);
        check(r#"[{"method":"ok"},{"method":"fail"}]"#, 403);
        check(r#"[{"method":"ok"},5]"#, 400);
        check(r#"[{"method":5}]"#, 500);
    }

    #[test]
    fn what_is_logged_is_harmless() {
        assert_eq!(sanitised("get\nblock<script>\"x\""), "getblockscriptx");
    }
}
