//! The threads that run commands, and the bounded queue in front of them.
//!
//! A job goes to the thread that was last to become idle: its caches, and those of the thread that serves it in
//! another process, are still warm.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// What a thread is to do; what is left of it then is to hand over the answer.
type Job = Box<dyn FnOnce() -> Handover + Send>;

/// Hands over an answer.
pub(super) type Handover = Box<dyn FnOnce()>;

/// Why a job was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejected {
    /// Too many are waiting.
    Full,
    /// The threads are stopping.
    Stopping,
}

/// Worker threads.
pub(super) struct Workers {
    queue: Arc<Queue>,
    limit: usize,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Queue {
    state: Mutex<State>,
    /// Wakes each thread.
    wake: Vec<Condvar>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    /// Threads without a job, the last to become so at the end.
    idle: Vec<usize>,
    /// Threads that were woken for a job and have not looked for one yet.
    woken: usize,
    stopping: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over the answer to the last job and waits for the next one for a thread.
    fn next(&self, thread: usize, last: Handover) -> Option<Job> {
        let mut state = self.lock();
        // Before the answer leaves: who gets it may send the next request at once, and that is for this thread.
        state.idle.push(thread);
        drop(state);
        last();
        state = self.lock();
        loop {
            if state.stopping {
                return None;
            }
            let was_woken = !state.idle.contains(&thread);
            if was_woken {
                state.woken -= 1;
            }
            if let Some(job) = state.waiting.pop_front() {
                state.idle.retain(|idle| *idle != thread);
                return Some(job);
            }
            if was_woken {
                // Another thread was faster.
                state.idle.push(thread);
            }
            state = self.wake[thread].wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Workers {
    /// Starts threads whose names begin with `name`; at most `limit` jobs wait for one.
    pub(super) fn start(name: &str, threads: usize, limit: usize) -> io::Result<Workers> {
        let wake = (0..threads).map(|_| Condvar::new()).collect();
        let queue = Arc::new(Queue { state: Mutex::default(), wake });
        let workers = Workers { queue, limit, threads: Mutex::default() };
        for number in 0..threads {
            let queue = workers.queue.clone();
            let name = format!("{name}.{number:02}");
            let thread = std::thread::Builder::new().name(name.clone()).spawn(move || {
                log::info!("{name} thread start");
                let mut handover: Handover = Box::new(|| {});
                while let Some(job) = queue.next(number, handover) {
                    handover = job();
                }
                log::info!("{name} thread exit");
            })?;
            workers.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(workers)
    }

    /// Queues a job.
    pub(super) fn submit(&self, job: Job) -> Result<(), Rejected> {
        let mut state = self.queue.lock();
        if state.stopping {
            return Err(Rejected::Stopping);
        }
        // A job that a thread is about to take does not wait.
        if state.idle.is_empty() && state.waiting.len() >= state.woken + self.limit {
            return Err(Rejected::Full);
        }
        state.waiting.push_back(job);
        let idle = state.idle.pop();
        if idle.is_some() {
            state.woken += 1;
        }
        drop(state);
        // With none idle, the next to finish takes it.
        if let Some(thread) = idle {
            self.queue.wake[thread].notify_one();
        }
        Ok(())
    }

    /// Says whether a job would be run at once.
    pub(super) fn are_free(&self) -> bool {
        let state = self.queue.lock();
        !state.stopping && state.waiting.is_empty() && !state.idle.is_empty()
    }

    /// Drops waiting jobs, and returns once running ones are done.
    pub(super) fn stop(&self) {
        let dropped = {
            let mut state = self.queue.lock();
            state.stopping = true;
            std::mem::take(&mut state.waiting)
        };
        drop(dropped);
        for thread in &self.queue.wake {
            thread.notify_one();
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                log::error!("an HTTP worker thread panicked");
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn the_last_to_become_idle_goes_first() {
        let workers = Workers::start("test", 4, 1).unwrap();
        let (done, is_done) = mpsc::channel();
        while workers.queue.lock().idle.len() < 4 {
            std::thread::yield_now();
        }
        // Each job is submitted as soon as the answer to the last one is there.
        let run = || {
            let done = done.clone();
            let answer = move || done.send(std::thread::current().id()).unwrap();
            workers.submit(Box::new(move || Box::new(answer))).unwrap();
            is_done.recv().unwrap()
        };
        let first = run();
        for _ in 0..100 {
            assert_eq!(run(), first);
        }
    }

    #[test]
    fn a_full_queue_and_the_end() {
        let workers = Workers::start("test", 1, 1).unwrap();
        let (release, released) = mpsc::channel::<()>();
        let (started, has_started) = mpsc::channel::<()>();
        let running = move || {
            started.send(()).unwrap();
            released.recv().unwrap();
            Box::new(|| {}) as Handover
        };
        while workers.queue.lock().idle.is_empty() {
            std::thread::yield_now();
        }
        assert_eq!(workers.submit(Box::new(running)), Ok(()));
        // Whether or not the thread has taken the first by now: it does not wait.
        let (never, dropped) = mpsc::channel::<()>();
        assert_eq!(workers.submit(Box::new(move || Box::new(move || never.send(()).unwrap()))), Ok(()));
        assert_eq!(workers.submit(Box::new(|| Box::new(|| {}))), Err(Rejected::Full));
        has_started.recv().unwrap();
        assert_eq!(workers.submit(Box::new(|| Box::new(|| {}))), Err(Rejected::Full));
        release.send(()).unwrap();
        workers.stop();
        assert_eq!(workers.submit(Box::new(|| Box::new(|| {}))), Err(Rejected::Stopping));
        // Either it ran before the end or was dropped; it does not hang.
        let _ = dropped.recv();
    }
}
