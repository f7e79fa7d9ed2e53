//! HTTP: accepts connections, reads requests within limits, and hands them to the workers.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::ext::ReasonPhrase;
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::auth::Attempt;
use super::io::{Activity, Stream};
use super::jsonrpc::{self, Origin, Reply, Single};
use super::workers::{Handover, Rejected, Workers};
use super::{Companion, STOP_LIMIT, Shared};

/// Longest request line and headers together.
const MAX_HEAD: usize = 8192;
/// Most headers: far more than any client sends, and few enough that making room for them does not show.
const MAX_HEADERS: usize = 512;
/// Longest body.
const MAX_BODY: usize = 32 * 1024 * 1024;
/// Longest body that is read here and not by a worker.
const SHORT_BODY: usize = 64 * 1024;
/// How long, at the end, a client with an unfinished request may be silent.
const STOP_IDLE: Duration = Duration::from_millis(500);
/// Pause after the system refuses to accept, e.g. for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type Response = hyper::Response<Full<Bytes>>;

/// Starts the network thread; it ends some time after `closed` becomes true.
pub(super) fn start(
    listeners: Vec<TcpListener>,
    shared: Arc<Shared>,
    companions: UnboundedReceiver<Box<dyn Companion>>,
    closed: watch::Receiver<bool>,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listeners = {
        let _context = runtime.enter();
        listeners.into_iter().map(tokio::net::TcpListener::from_std).collect::<io::Result<Vec<_>>>()?
    };
    std::thread::Builder::new().name("http".to_owned()).spawn(move || {
        log::info!("http thread start");
        runtime.spawn(accompany(companions));
        runtime.block_on(async {
            run(listeners, shared.clone(), closed).await;
            // Every command that runs elsewhere has its share of this.
            let all = shared.elsewhere.acquire_many(shared.room);
            if tokio::time::timeout(STOP_LIMIT, all).await.is_err() {
                log::warn!("Timeout waiting for commands of the wallet process, continuing shutdown");
            }
        });
        log::info!("http thread exit");
    })
}

/// Does the work of companions as it comes.
async fn accompany(mut companions: UnboundedReceiver<Box<dyn Companion>>) {
    while let Some(companion) = companions.recv().await {
        tokio::spawn(async move {
            let ended = async {
                let fd = companion.as_fd().try_clone_to_owned()?;
                #[expect(deprecated, reason = "sound for a descriptor of its own; what replaces it is unsafe code")]
                let fd = AsyncFd::with_interest(fd, Interest::READABLE)?;
                loop {
                    let mut ready = fd.readable().await?;
                    // Before the work: what comes during it is news.
                    ready.clear_ready();
                    companion.turn()?;
                }
            };
            let Err(error): io::Result<Infallible> = ended.await;
            log::error!("the HTTP server's thread cannot do other work any more: {error}");
        });
    }
}

async fn run(listeners: Vec<tokio::net::TcpListener>, shared: Arc<Shared>, closed: watch::Receiver<bool>) {
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(listener, shared.clone(), closed.clone()));
    }
    while accepting.join_next().await.is_some() {}
}

/// Accepts until the end, then waits for its connections to end.
async fn accept(listener: tokio::net::TcpListener, shared: Arc<Shared>, mut closed: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = closed.wait_for(|closed| *closed) => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                log::debug!(target: "http", "HTTP Connection accepted from {peer}");
                let _ = stream.set_nodelay(true);
                connections.spawn(connection(stream, peer, shared.clone(), closed.clone()));
            }
            Err(error) => {
                log::debug!(target: "http", "Cannot accept new connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    log::debug!(target: "http", "Waiting for HTTP clients to disconnect gracefully");
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_LIMIT, all).await.is_err() {
        log::warn!("Timeout waiting for HTTP clients to disconnect gracefully, continuing shutdown");
    }
}

/// Serves one connection until either side closes it, it is idle for too long, or the server stops.
pub(super) async fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: SocketAddr,
    shared: Arc<Shared>,
    mut closed: watch::Receiver<bool>,
) {
    let activity = Activity::new();
    let session = Arc::new(Session::default());
    let service = service_fn({
        let (shared, activity) = (shared.clone(), activity.clone());
        move |request| {
            let (shared, serving, session) = (shared.clone(), activity.clone(), session.clone());
            async move { Ok::<_, Infallible>(respond(request, peer, &shared, &serving, &session).await) }
        }
    });
    let stream = TokioIo::new(Stream::new(stream, activity.clone()));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        // A client that sends no more may still read; and what it has asked for is done in any case.
        .half_close(true)
        // Our own clock also covers bodies and idle connections.
        .header_read_timeout(None)
        .max_header_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(stream, service);
    tokio::pin!(served);
    let mut stopping = false;
    loop {
        let limit = if stopping { Some(STOP_IDLE) } else { shared.timeout };
        tokio::select! {
            result = &mut served => {
                if let Err(error) = result {
                    log::debug!(target: "http", "Error serving HTTP client {peer}: {error}");
                }
                break;
            }
            () = activity.idle(limit.unwrap_or_default()), if limit.is_some() => {
                log::debug!(target: "http", "HTTP client idle timeout {peer}");
                break;
            }
            _ = closed.wait_for(|closed| *closed), if !stopping => {
                stopping = true;
                served.as_mut().graceful_shutdown();
            }
        }
    }
    log::debug!(target: "http", "Disconnecting HTTP client {peer}");
}

async fn respond(
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
    shared: &Arc<Shared>,
    activity: &Arc<Activity>,
    session: &Session,
) -> Response {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or(head.uri.path(), |target| target.as_str());
    log::debug!(target: "http", "Received a {} request for {target} from {peer}", head.method);
    if !shared.allowed.iter().any(|subnet| subnet.contains(peer.ip())) {
        log::debug!(target: "http", "HTTP request from {peer} rejected: Client network is not allowed RPC access");
        return close(plain(StatusCode::FORBIDDEN, ""));
    }
    let (body, parts) = match read_body(body).await {
        Ok(read) => read,
        Err(status) => return close(plain(status, "")),
    };
    // From here on it is us the client waits for.
    let _serving = activity.serve();
    activity.keep(head.headers.clone(), parts);
    if shared.rejecting.load(Ordering::SeqCst) {
        log::debug!(target: "http", "Rejecting request while shutting down");
        return plain(StatusCode::SERVICE_UNAVAILABLE, "");
    }
    if ![Method::GET, Method::POST, Method::HEAD, Method::PUT].contains(&head.method) {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    if target != "/" && !target.starts_with("/wallet/") {
        return plain(StatusCode::NOT_FOUND, "");
    }
    if head.method != Method::POST {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "JSONRPC server handles only POST requests");
    }
    let Some(header) = head.headers.get(AUTHORIZATION) else { return unauthorized() };
    let user = match authenticate(header, peer, shared, session).await {
        Ok(user) => user,
        Err(refusal) => return refusal,
    };
    let origin = Origin { user: &user, uri: target, peer: Some(peer) };
    let single = if body.len() <= SHORT_BODY { Single::read(&shared.auth, origin, &body) } else { None };
    let Some(single) = single else { return run_body(shared, user, target.to_owned(), peer, body).await };
    if single.runs_elsewhere(&shared.registry) {
        return run_elsewhere(shared, single).await;
    }
    if shared.workers.are_free()
        && let Some(reply) = single.at_once(&shared.registry)
    {
        return response(reply);
    }
    let job = {
        let shared = shared.clone();
        move || single.answer(&shared.registry)
    };
    run_on_worker(&shared.workers, job).await
}

/// Returns the user whose credentials came with a request, or what to answer instead.
async fn authenticate(
    header: &HeaderValue,
    peer: SocketAddr,
    shared: &Shared,
    session: &Session,
) -> Result<String, Response> {
    let Shared { auth, guesses, .. } = shared;
    let wrong = || log::warn!("ThreadRPCServer incorrect password attempt from {peer}");
    let Some(attempt) = header.to_str().ok().and_then(Attempt::read) else {
        wrong();
        guesses.delay().await;
        return Err(unauthorized());
    };
    if auth.is_unguessable(&attempt) {
        let Some(user) = auth.check(&attempt) else {
            wrong();
            guesses.delay().await;
            return Err(unauthorized());
        };
        return Ok(user);
    }
    if session.is_of(attempt.user())
        && let Some(user) = auth.check(&attempt)
    {
        return Ok(user);
    }
    let Some(turn) = guesses.turn().await else {
        log::debug!(target: "http", "Rejecting request from {peer}: too many passwords wait to be checked");
        return Err(plain(StatusCode::SERVICE_UNAVAILABLE, "Too many incorrect passwords, try again later"));
    };
    let Some(user) = auth.check(&attempt) else {
        wrong();
        // Makes trying passwords slow, and holds up nobody who has none to try.
        turn.wrong().await;
        return Err(unauthorized());
    };
    session.set(&user);
    Ok(user)
}

/// The user who was last authenticated on a connection.
#[derive(Default)]
struct Session(Mutex<Option<String>>);

impl Session {
    fn is_of(&self, user: &[u8]) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().is_some_and(|known| known.as_bytes() == user)
    }

    fn set(&self, user: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(user.to_owned());
    }
}

/// Has another process carry out a command. That one may hang: what waits for it must not keep what others need.
async fn run_elsewhere(shared: &Arc<Shared>, single: Single) -> Response {
    // With no room left, a worker waits instead.
    if let Ok(room) = shared.elsewhere.clone().try_acquire_owned()
        && let Some(started) = single.start(&shared.registry)
    {
        // Also for a client that goes away: what was asked for is done.
        let running = tokio::spawn(async move {
            let _room = room;
            started.await
        });
        return running.await.map_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR, ""), response);
    }
    let job = {
        let shared = shared.clone();
        move || single.answer(&shared.registry)
    };
    match shared.workers_elsewhere() {
        Some(workers) => run_on_worker(workers, job).await,
        None => plain(StatusCode::INTERNAL_SERVER_ERROR, ""),
    }
}

/// Has workers read and answer a body, which may be long, and of which nothing is known yet.
async fn run_body(shared: &Arc<Shared>, user: String, uri: String, peer: SocketAddr, body: Bytes) -> Response {
    let (pass_on, passed_on) = oneshot::channel();
    let job = {
        let (shared, user, uri) = (shared.clone(), user.clone(), uri.clone());
        move || match jsonrpc::read(&body) {
            Err(reply) => reply,
            Ok(read) if jsonrpc::runs_elsewhere(&shared.registry, &read) => {
                drop(body);
                // Nobody takes it from a client that went away, or reads this answer.
                let _ = pass_on.send(read);
                (StatusCode::OK, None)
            }
            Ok(read) => {
                let origin = Origin { user: &user, uri: &uri, peer: Some(peer) };
                jsonrpc::answer_read(&shared.registry, &shared.auth, origin, read)
            }
        }
    };
    let answered = run_on_worker(&shared.workers, job).await;
    let Ok(read) = passed_on.await else { return answered };
    let job = {
        let shared = shared.clone();
        move || {
            let origin = Origin { user: &user, uri: &uri, peer: Some(peer) };
            jsonrpc::answer_read(&shared.registry, &shared.auth, origin, read)
        }
    };
    match shared.workers_elsewhere() {
        Some(workers) => run_on_worker(workers, job).await,
        None => plain(StatusCode::INTERNAL_SERVER_ERROR, ""),
    }
}

/// Turns a request away because enough others are waiting.
fn too_many() -> Response {
    log::warn!(
        "Request rejected because http work queue depth exceeded, it can be increased with the -rpcworkqueue= setting"
    );
    plain(StatusCode::SERVICE_UNAVAILABLE, "Work queue depth exceeded")
}

/// Has a worker answer the request, if one can take it.
async fn run_on_worker(workers: &Workers, answer: impl FnOnce() -> Reply + Send + 'static) -> Response {
    let (sender, receiver) = oneshot::channel();
    let job = Box::new(move || {
        let response = response(answer());
        Box::new(move || {
            // A client that is gone has no use for it.
            let _ = sender.send(response);
        }) as Handover
    });
    match workers.submit(job) {
        Ok(()) => {}
        Err(Rejected::Full) => return too_many(),
        Err(Rejected::Stopping) => {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "Request rejected during server shutdown");
        }
    }
    match receiver.await {
        Ok(response) => response,
        // The job was dropped from the queue.
        Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "Request rejected during server shutdown"),
    }
}

/// Reads a body of bearable length; returns also the parts it came in. The error is the status to answer with.
async fn read_body(body: Incoming) -> Result<(Bytes, Vec<Bytes>), StatusCode> {
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let mut body = Limited::new(body, MAX_BODY);
    let mut parts = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => parts.extend(frame.into_data()),
            Err(error) if error.is::<LengthLimitError>() => return Err(StatusCode::PAYLOAD_TOO_LARGE),
            Err(_) => return Err(StatusCode::BAD_REQUEST),
        }
    }
    let whole = match parts.as_slice() {
        [part] => part.clone(),
        parts => Bytes::from(parts.concat()),
    };
    Ok((whole, parts))
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    if status != StatusCode::NO_CONTENT {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=ISO-8859-1"));
    }
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        // The name of the status is an older one.
        response.extensions_mut().insert(ReasonPhrase::from_static(b"Content too large"));
    }
    response
}

fn response((status, reply): Reply) -> Response {
    let Some(reply) = reply else { return plain(status, "") };
    let mut reply = jsonrpc::escape_delete(reply);
    reply.push(b'\n');
    let mut response = Response::new(Full::new(Bytes::from(reply)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn unauthorized() -> Response {
    let mut response = plain(StatusCode::UNAUTHORIZED, "");
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"jsonrpc\""));
    response
}

/// Ends the connection after this answer, because what follows on it cannot be told apart from this request's rest.
fn close(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
