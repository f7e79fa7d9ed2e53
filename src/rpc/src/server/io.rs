//! A connection's stream with two additions: it remembers when traffic last passed, which decides when an idle client
//! is dropped, and it turns hyper's own "too large" answers into the plain 400 that clients of this interface know.

use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::HeaderMap;
use hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Statuses hyper answers by itself for a head that is too long, and the one to send instead.
const TOO_LARGE: [&[u8]; 2] = [b"HTTP/1.1 431 Request Header Fields Too Large\r\n", b"HTTP/1.1 414 URI Too Long\r\n"];
const BAD_REQUEST: &[u8] = b"HTTP/1.1 400 Bad Request\r\n";

/// When traffic last passed, and how many requests are being served.
#[derive(Debug)]
pub(super) struct Activity {
    last: Mutex<Instant>,
    serving: AtomicUsize,
    /// What was read of the request that is or was served last.
    read: Mutex<(HeaderMap, Vec<Bytes>)>,
}

impl Activity {
    pub(super) fn new() -> Arc<Activity> {
        Arc::new(Activity { last: Mutex::new(Instant::now()), serving: AtomicUsize::new(0), read: Mutex::default() })
    }

    fn touch(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Keeps what was read of a request until hyper reads again. It is parts of hyper's buffer, which hyper would use again,
    /// with passwords and keys in it, if nothing else referred to it. So it takes another, and that one is wiped and freed.
    pub(super) fn keep(&self, headers: HeaderMap, body: Vec<Bytes>) {
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = (headers, body);
    }

    /// Marks a request as being served until the guard is dropped.
    pub(super) fn serve(self: &Arc<Self>) -> Serving {
        self.serving.fetch_add(1, Ordering::SeqCst);
        Serving(self.clone())
    }

    fn idle_for(&self) -> Option<Duration> {
        (self.serving.load(Ordering::SeqCst) == 0)
            .then(|| self.last.lock().unwrap_or_else(PoisonError::into_inner).elapsed())
    }

    /// Returns once nothing was served and no traffic passed for `limit`.
    pub(super) async fn idle(&self, limit: Duration) {
        loop {
            let left = match self.idle_for() {
                Some(idle) if idle >= limit => return,
                Some(idle) => limit - idle,
                None => limit,
            };
            tokio::time::sleep(left).await;
        }
    }
}

/// A request being served.
pub(super) struct Serving(Arc<Activity>);

impl Drop for Serving {
    fn drop(&mut self) {
        // The client gets the full time again to take the answer and to ask the next question.
        self.0.touch();
        self.0.serving.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The stream.
pub(super) struct Stream<S> {
    inner: S,
    activity: Arc<Activity>,
    /// What is left to send of a replaced status line.
    replacement: &'static [u8],
    /// Bytes of hyper's own status line still to be taken without sending them.
    swallow: usize,
}

impl<S> Stream<S> {
    pub(super) fn new(inner: S, activity: Arc<Activity>) -> Stream<S> {
        Stream { inner, activity, replacement: &[], swallow: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.activity.serving.load(Ordering::SeqCst) == 0 {
            self.activity.keep(HeaderMap::new(), Vec::new());
        }
        let before = buf.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.touch();
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.swallow == 0
            && let Some(line) = TOO_LARGE.into_iter().find(|line| buf.starts_with(line))
        {
            self.replacement = BAD_REQUEST;
            self.swallow = line.len();
        }
        while !self.replacement.is_empty() {
            let replacement = self.replacement;
            match Pin::new(&mut self.inner).poll_write(cx, replacement) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(0)),
                Poll::Ready(Ok(sent)) => self.replacement = replacement.get(sent..).unwrap_or_default(),
                other => return other,
            }
        }
        if self.swallow > 0 {
            let taken = std::mem::take(&mut self.swallow).min(buf.len());
            return Poll::Ready(Ok(taken));
        }
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        if matches!(result, Poll::Ready(Ok(_))) {
            self.activity.touch();
        }
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // hyper's own answers come in one piece.
        if self.swallow > 0 || !self.replacement.is_empty() || bufs.iter().filter(|buf| !buf.is_empty()).count() < 2 {
            let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
            return self.poll_write(cx, first);
        }
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        if matches!(result, Poll::Ready(Ok(_))) {
            self.activity.touch();
        }
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
