//! The threads that serve the other side's calls that name none (`ThreadMap.makePool`).
//!
//! **Invariant:** a call waits only while all of them are busy. Work is in one queue; a thread looks there after it has
//! said that it is idle, and who adds to the queue looks for an idle thread after that, so that none is overlooked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::thread::{Job, ThreadContext};

/// Work for whichever thread is free first.
#[derive(Default)]
pub(crate) struct Queue(Mutex<VecDeque<Job>>);

impl Queue {
    /// Takes the oldest.
    pub(crate) fn pop(&self) -> Option<Job> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn push(&self, job: Job) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(job);
    }
}

/// The threads and their queue.
#[derive(Default)]
pub(crate) struct Pool {
    pub(crate) queue: Arc<Queue>,
    pub(crate) threads: Vec<Arc<ThreadContext>>,
}

impl Pool {
    /// Says that there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.threads.is_empty()
    }

    /// Queues work; gives it back if there are no threads.
    pub(crate) fn post(&self, job: Job) -> Option<Job> {
        if self.is_empty() {
            return Some(job);
        }
        self.queue.push(job);
        if let Some(idle) = self.threads.iter().find(|thread| thread.is_idle()) {
            // It has something to do only if no other was faster.
            drop(idle.post(Box::new(|_| {})));
        }
        None
    }
}
