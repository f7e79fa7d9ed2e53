//! Runs the tasks of the RPC system until none can go on. Nothing waits here: whoever makes a task ready runs the
//! executor afterwards, and only the holder of the core can do either (see [`crate::core`]).

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::future::{AbortHandle, abortable};
use futures::stream::{FuturesUnordered, Stream};

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Starts tasks.
#[derive(Clone, Default)]
pub(crate) struct Spawner(Rc<RefCell<Vec<Task>>>);

impl Spawner {
    /// Starts a task; the handle ends it early.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) -> AbortHandle {
        let (task, handle) = abortable(task);
        let task = async move {
            // Ended early or not, there is nothing to report.
            let _ = task.await;
        };
        self.0.borrow_mut().push(Box::pin(task));
        handle
    }
}

/// The tasks.
pub(crate) struct Executor {
    spawner: Spawner,
    tasks: FuturesUnordered<Task>,
    woken: Arc<Woken>,
    waker: Waker,
}

/// Notes that some task can go on.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Executor {
    pub(crate) fn new(spawner: Spawner) -> Self {
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(woken.clone());
        Executor { spawner, tasks: FuturesUnordered::new(), woken, waker }
    }

    /// Runs tasks until none can go on.
    pub(crate) fn run(&mut self) {
        let mut cx = Context::from_waker(&self.waker);
        loop {
            self.woken.0.store(false, Ordering::Relaxed);
            let new = std::mem::take(&mut *self.spawner.0.borrow_mut());
            self.tasks.extend(new);
            while let Poll::Ready(Some(())) = Pin::new(&mut self.tasks).poll_next(&mut cx) {}
            if !self.woken.0.load(Ordering::Relaxed) && self.spawner.0.borrow().is_empty() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures::channel::oneshot;

    use super::*;

    #[test]
    fn runs_what_can_go_on_and_what_that_starts() {
        let spawner = Spawner::default();
        let mut executor = Executor::new(spawner.clone());
        let done = Rc::new(Cell::new(0));
        let (sender, receiver) = oneshot::channel::<()>();
        spawner.spawn({
            let (spawner, done) = (spawner.clone(), done.clone());
            async move {
                let _ = receiver.await;
                done.set(done.get() + 1);
                spawner.spawn(async move { done.set(done.get() + 1) });
            }
        });
        executor.run();
        assert_eq!(done.get(), 0);
        sender.send(()).expect("the task waits");
        executor.run();
        assert_eq!(done.get(), 2);
    }

    #[test]
    fn an_aborted_task_is_dropped() {
        let spawner = Spawner::default();
        let mut executor = Executor::new(spawner.clone());
        let held = Rc::new(());
        let handle = spawner.spawn({
            let held = held.clone();
            async move {
                std::future::pending::<()>().await;
                drop(held);
            }
        });
        executor.run();
        assert_eq!(Rc::strong_count(&held), 2);
        handle.abort();
        executor.run();
        assert_eq!(Rc::strong_count(&held), 1);
    }
}
