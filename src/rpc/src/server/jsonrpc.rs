//! JSON-RPC over one HTTP body: versions 1 and 2, batches, notifications, and the HTTP status each ends in.
//!
//! Version 1 (no `jsonrpc` member, or "1.0") reports a failed command also as an HTTP error; version 2 never does.

use std::borrow::Cow;
use std::sync::Arc;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::auth::Auth;
use super::repeated::repeated_parameters;
use crate::{Registry, Request, RpcError, code};

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    /// Authenticated user.
    pub user: &'a str,
    /// Path of the HTTP request.
    pub uri: &'a str,
    /// Address of the client.
    pub peer: &'a str,
}

/// Status and body; without a body nothing was to be said.
pub(super) type Reply = (StatusCode, Option<String>);

/// What of a request shapes its reply. In a batch, a request too broken to have its own keeps that of the one before.
#[derive(Debug, Clone)]
struct Envelope {
    id: Option<Value>,
    version2: bool,
}

impl Envelope {
    fn is_notification(&self) -> bool {
        self.version2 && self.id.is_none()
    }

    /// The reply with a result that is text already.
    fn success(&self, result: &RawValue) -> String {
        let (head, tail) = if self.version2 { (r#""jsonrpc":"2.0","#, "") } else { ("", r#","error":null"#) };
        let id = self.id.as_ref().map_or_else(String::new, |id| format!(r#","id":{id}"#));
        format!(r#"{{{head}"result":{result}{tail}{id}}}"#)
    }

    fn failure(&self, error: &RpcError) -> String {
        let mut reply = Map::new();
        if self.version2 {
            reply.insert("jsonrpc".to_owned(), json!("2.0"));
        } else {
            reply.insert("result".to_owned(), Value::Null);
        }
        reply.insert("error".to_owned(), error.to_json());
        if let Some(id) = &self.id {
            reply.insert("id".to_owned(), id.clone());
        }
        Value::Object(reply).to_string()
    }
}

/// Answers one body.
pub(super) fn answer(registry: &Registry, auth: &Auth, origin: Origin<'_>, body: &[u8]) -> Reply {
    let mut envelope = Envelope { id: Some(Value::Null), version2: false };
    let Ok(request) = common::json::parse(body) else {
        return failed(&envelope, RpcError::parse("Parse error"));
    };
    let user = origin.user;
    if !auth.may_ask(user) {
        log::warn!("RPC User {user} not allowed to call any methods");
        return (StatusCode::FORBIDDEN, None);
    }
    match request {
        Value::Object(_) => {
            let repeated = if names_parameters(&request) { repeated_parameters(body) } else { Vec::new() };
            single(registry, auth, origin, (&request, repeated.first()), &mut envelope)
        }
        Value::Array(requests) => {
            let named = requests.iter().any(names_parameters);
            let repeated = if named { repeated_parameters(body) } else { Vec::new() };
            batch(registry, auth, origin, (&requests, &repeated), &mut envelope)
        }
        _ => failed(&envelope, RpcError::parse("Top-level object parse error")),
    }
}

/// Says whether parameters are given by name, which alone can be given twice.
fn names_parameters(request: &Value) -> bool {
    request.get("params").is_some_and(Value::is_object)
}

/// A request with the parameter that it names twice, if it does.
type Body<'a> = (&'a Value, Option<&'a Option<String>>);

/// A request of which only the method is read.
#[derive(Deserialize)]
struct MethodOnly<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
}

/// Answers one body whose command runs elsewhere, without keeping this thread meanwhile; `None` if it is another.
pub(super) fn start(
    registry: &Arc<Registry>,
    auth: &Auth,
    origin: Origin<'_>,
    body: &[u8],
) -> Option<impl Future<Output = Reply> + Send + use<>> {
    // Most are not; a worker reads those as a whole.
    let method = &*serde_json::from_slice::<MethodOnly<'_>>(body).ok()?.method;
    if !registry.runs_elsewhere(method) || !auth.may_ask(origin.user) || !auth.may_run(origin.user, method) {
        return None;
    }
    let request = serde_json::from_slice::<Value>(body).ok().filter(Value::is_object)?;
    let repeated = if names_parameters(&request) { repeated_parameters(body) } else { Vec::new() };
    let mut envelope = Envelope { id: Some(Value::Null), version2: false };
    let method = parse_method(&request, &mut envelope).ok()?;
    let request = parse_params((&request, repeated.first()), origin, method).ok()?;
    let started = registry.start(&request)?;
    log_call(&request.method, origin, envelope.id.as_ref());
    Some(async move {
        match started.await {
            _ if envelope.is_notification() => (StatusCode::NO_CONTENT, None),
            Ok(result) => (StatusCode::OK, Some(envelope.success(&result))),
            Err(error) => refused(&envelope, error),
        }
    })
}

fn single(registry: &Registry, auth: &Auth, origin: Origin<'_>, request: Body<'_>, envelope: &mut Envelope) -> Reply {
    let request = match parse(request, origin, envelope) {
        Ok(request) => request,
        Err(error) => return failed(envelope, error),
    };
    if !auth.may_run(origin.user, &request.method) {
        log::warn!("RPC User {} not allowed to call method {}", origin.user, request.method);
        return (StatusCode::FORBIDDEN, None);
    }
    match registry.answer(&request) {
        _ if envelope.is_notification() => (StatusCode::NO_CONTENT, None),
        Err(error) => refused(envelope, error),
        Ok(result) => (StatusCode::OK, Some(envelope.success(&result))),
    }
}

/// What a command's refusal comes to.
fn refused(envelope: &Envelope, error: RpcError) -> Reply {
    if envelope.version2 { (StatusCode::OK, Some(envelope.failure(&error))) } else { failed(envelope, error) }
}

fn batch(
    registry: &Registry,
    auth: &Auth,
    origin: Origin<'_>,
    (requests, repeated): (&[Value], &[Option<String>]),
    envelope: &mut Envelope,
) -> Reply {
    if auth.is_limited(origin.user) {
        for request in requests {
            let Some(members) = request.as_object() else {
                return failed(envelope, RpcError::invalid_request("Invalid Request object"));
            };
            let method = members.get("method").unwrap_or(&Value::Null);
            let Some(method) = method.as_str() else {
                return failed(envelope, RpcError::parse(crate::json::wrong_type(method, "string")));
            };
            if !auth.may_run(origin.user, method) {
                log::warn!("RPC User {} not allowed to call method {method}", origin.user);
                return (StatusCode::FORBIDDEN, None);
            }
        }
    }
    let mut replies = Vec::new();
    for (at, request) in requests.iter().enumerate() {
        let result = parse((request, repeated.get(at)), origin, envelope).and_then(|request| registry.answer(&request));
        if !envelope.is_notification() {
            replies.push(result.map_or_else(|error| envelope.failure(&error), |result| envelope.success(&result)));
        }
    }
    if replies.is_empty() && !requests.is_empty() {
        return (StatusCode::NO_CONTENT, None);
    }
    (StatusCode::OK, Some(format!("[{}]", replies.join(","))))
}

fn failed(envelope: &Envelope, error: RpcError) -> Reply {
    let status = match error.code {
        code::INVALID_REQUEST => StatusCode::BAD_REQUEST,
        code::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, Some(envelope.failure(&error)))
}

fn parse(body: Body<'_>, origin: Origin<'_>, envelope: &mut Envelope) -> Result<Request, RpcError> {
    let method = parse_method(body.0, envelope)?;
    log_call(&method, origin, envelope.id.as_ref());
    parse_params(body, origin, method)
}

fn parse_method(request: &Value, envelope: &mut Envelope) -> Result<String, RpcError> {
    let invalid = |text: &str| Err(RpcError::invalid_request(text));
    let Some(members) = request.as_object() else { return invalid("Invalid Request object") };
    envelope.id = members.get("id").cloned();
    envelope.version2 = match members.get("jsonrpc") {
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
    match members.get("method") {
        None | Some(Value::Null) => invalid("Missing method"),
        Some(Value::String(method)) => Ok(method.clone()),
        Some(_) => invalid("Method must be a string"),
    }
}

fn parse_params((request, repeated): Body<'_>, origin: Origin<'_>, method: String) -> Result<Request, RpcError> {
    let params = match request.get("params") {
        None | Some(Value::Null) => Value::Array(Vec::new()),
        Some(params @ (Value::Array(_) | Value::Object(_))) => params.clone(),
        Some(_) => return Err(RpcError::invalid_request("Params must be an array or object")),
    };
    if let Some(Some(name)) = repeated {
        return Err(RpcError::invalid_parameter(format!("Parameter {name} specified multiple times")));
    }
    Ok(Request { method, params, uri: origin.uri.to_owned(), user: origin.user.to_owned(), tip: None })
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
        let peer = origin.peer;
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
        let origin = Origin { user: "u", uri: "/", peer: "127.0.0.1:1" };
        let (status, body) = answer(&registry, &auth, origin, body.as_bytes());
        (status.as_u16(), body.unwrap_or_default())
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

        fn runs_elsewhere(&self) -> bool {
            true
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
        let origin = Origin { user: "u", uri: "/", peer: "127.0.0.1:1" };
        let body = r#"{"method":"echo","params":[1]}"#;
        assert!(start(&registry, &auth, origin, body.as_bytes()).is_none(), "warm-up is answered here");
        registry.finish_warmup();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for body in [
            body,
            r#"{"method":"echo","params":[1.50000000,"two",{"z":1,"a":2}],"id":"x"}"#,
            r#"{"method":"echo","params":{"named":null},"id":null}"#,
            r#"{"method":"echo","id":7}"#,
            r#"{"jsonrpc":"2.0","method":"echo","params":[1],"id":7}"#,
            r#"{"jsonrpc":"2.0","method":"echo","params":[],"id":7}"#,
            r#"{"jsonrpc":"2.0","method":"echo","params":[1]}"#,
        ] {
            let started = start(&registry, &auth, origin, body.as_bytes()).unwrap();
            let (status, expected) = answer(&registry, &auth, origin, body.as_bytes());
            assert_eq!(runtime.block_on(started), (status, expected.map(|reply| reply.to_string())), "{body}");
        }
        assert_eq!(registry.active(), vec![]);
        // What is wrong with a request is said in one place.
        for body in
            ["", "[]", r#"{"method":"ok"}"#, r#"{"method":"echo","params":1}"#, r#"{"jsonrpc":2,"method":"echo"}"#]
        {
            assert!(start(&registry, &auth, origin, body.as_bytes()).is_none(), "{body}");
        }
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
