//! The sending half of a connection's stream: what the RPC system writes in one go leaves in one system call.
//!
//! Cap'n Proto flushes after every message, so that a result and the release that goes with it would wake the other
//! side twice. Here a flush is only noted; [`drive`] carries it out once the RPC system has nothing more to write.
//!
//! **Invariant:** the stream's write readiness wakes whoever waits for it: while the RPC system waits to write, it
//! alone touches the stream.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use futures::io::{AsyncWrite, BufWriter};

/// A writer that leaves flushing to [`drive`].
pub(crate) struct Writer<W>(Rc<RefCell<State<W>>>);

/// Flushes what a [`Writer`] was given.
pub(crate) struct Flusher<W>(Rc<RefCell<State<W>>>);

struct State<W> {
    stream: BufWriter<W>,
    /// A flush was asked for and is not done.
    due: bool,
    /// The RPC system waits for the stream to take more.
    full: bool,
}

/// Buffers a stream.
pub(crate) fn writer<W: AsyncWrite + Unpin>(capacity: usize, stream: W) -> (Writer<W>, Flusher<W>) {
    let stream = BufWriter::with_capacity(capacity, stream);
    let state = Rc::new(RefCell::new(State { stream, due: false, full: false }));
    (Writer(state.clone()), Flusher(state))
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Writer<W> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let state = &mut *self.0.borrow_mut();
        let written = Pin::new(&mut state.stream).poll_write(cx, bytes);
        state.full = written.is_pending();
        written
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().due = true;
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().stream).poll_close(cx)
    }
}

impl<W: AsyncWrite + Unpin> Flusher<W> {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.0.borrow_mut();
        if state.due && !state.full {
            ready!(Pin::new(&mut state.stream).poll_flush(cx))?;
            state.due = false;
        }
        Poll::Ready(Ok(()))
    }
}

/// Runs an RPC system whose writer belongs to `flusher`. Ends with it, or when the stream takes no more.
pub(crate) async fn drive<W: AsyncWrite + Unpin>(
    rpc: impl Future<Output = Result<(), capnp::Error>>,
    flusher: Flusher<W>,
) -> Result<(), capnp::Error> {
    let mut rpc = pin!(rpc);
    poll_fn(|cx| {
        let done = rpc.as_mut().poll(cx);
        match flusher.poll(cx) {
            Poll::Ready(Err(error)) if done.is_pending() => Poll::Ready(Err(error.into())),
            Poll::Ready(_) | Poll::Pending => done,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures::io::AsyncWriteExt;
    use futures::task::noop_waker_ref;

    use super::*;

    /// Notes each write.
    #[derive(Clone, Default)]
    struct Stream {
        writes: Rc<RefCell<Vec<String>>>,
        full: Rc<Cell<bool>>,
        broken: Rc<Cell<bool>>,
    }

    impl AsyncWrite for Stream {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            if self.broken.get() {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if self.full.get() {
                return Poll::Pending;
            }
            self.writes.borrow_mut().push(String::from_utf8_lossy(bytes).into_owned());
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Sends messages as an RPC system does, over a buffer of eight bytes.
    fn send(stream: &Stream, messages: &'static [&str]) -> Pin<Box<dyn Future<Output = Result<(), capnp::Error>>>> {
        let (mut writer, flusher) = writer(8, stream.clone());
        Box::pin(drive(
            async move {
                for message in messages {
                    writer.write_all(message.as_bytes()).await?;
                    writer.flush().await?;
                }
                std::future::pending().await
            },
            flusher,
        ))
    }

    #[track_caller]
    fn check(messages: &'static [&str], expected: &[&str]) {
        let stream = Stream::default();
        let cx = &mut Context::from_waker(noop_waker_ref());
        assert!(send(&stream, messages).as_mut().poll(cx).is_pending());
        assert_eq!(*stream.writes.borrow(), expected);

        // The same from a stream that is full at first.
        let stream = Stream::default();
        stream.full.set(true);
        let mut sending = send(&stream, messages);
        assert!(sending.as_mut().poll(cx).is_pending());
        assert!(stream.writes.borrow().is_empty());
        stream.full.set(false);
        assert!(sending.as_mut().poll(cx).is_pending());
        assert_eq!(*stream.writes.borrow(), expected);
    }

    #[test]
    fn what_is_written_in_one_go_leaves_together() {
        check(&[], &[]);
        check(&["one"], &["one"]);
        check(&["one", "two"], &["onetwo"]);
        check(&["one", "two", "three", "four"], &["onetwo", "three", "four"]);
        check(&["one", "much longer", "two"], &["one", "much longer", "two"]);
    }

    #[test]
    fn a_broken_stream_ends_the_rpc_system() {
        let stream = Stream::default();
        stream.broken.set(true);
        let cx = &mut Context::from_waker(noop_waker_ref());
        assert!(matches!(send(&stream, &["one"]).as_mut().poll(cx), Poll::Ready(Err(_))));
    }
}
