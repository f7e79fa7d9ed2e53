//! A subscription to the chain's tip that goes on after the node was away.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use interfaces::{Error, Mining, Result, TipRef};
use multiprocess::{CancelToken, within};

use super::{Linked, Remade};

/// How long one question to the node lasts, which also bounds how late it sees that nobody listens any more.
const QUESTION: Duration = Duration::from_secs(60);

/// How long anything else it is asked may take, and the answer to a question beyond its time: the node may be stopped.
const ANSWER: Duration = Duration::from_secs(30);

/// How long the end of a [`TipFollower`] waits for the node to know of it.
const INTERRUPTION: Duration = Duration::from_secs(1);

/// Pause after an answer that is an error but no loss of the connection.
const PAUSE: Duration = Duration::from_millis(500);

/// What a [`TipFollower`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TipEvent {
    /// The tip is another one. After [`TipEvent::Resumed`] it may be several blocks higher than the last one told, or on
    /// another branch: those in between are not told one by one.
    Tip(TipRef),
    /// The node is away. No tip follows until it is back.
    Lost,
    /// The node is back; a tip follows if it is not the last one told.
    Resumed,
}

/// Tells of the chain's tip, across losses of the connection. Dropping it ends that, also if the node does not answer.
pub struct TipFollower {
    /// Covers the questions.
    end: CancelToken,
    interrupt: Box<dyn Fn() + Send + Sync>,
    thread: Option<JoinHandle<()>>,
}

impl TipFollower {
    /// Calls `tell` on a thread of its own, in order. It begins with the present tip, unless that is `known`.
    ///
    /// # Errors
    /// If there is no thread.
    pub fn start<T: Linked>(
        mining: Remade<T, Arc<dyn Mining>>,
        known: Option<BlockHash>,
        tell: impl FnMut(TipEvent) + Send + 'static,
    ) -> Result<TipFollower> {
        let (mining, end) = (Arc::new(mining), CancelToken::new());
        let (following, ended) = (mining.clone(), end.clone());
        let thread = std::thread::Builder::new().name("ipc-tips".into());
        let thread = thread.spawn(move || follow(&following, known, &ended, tell)).map_err(Error::internal)?;
        let interrupt = move || {
            mining.wake();
            // For a node that goes on with a question that was given up, as Bitcoin Core's do. Fails if there is none.
            let _ = within(INTERRUPTION, || mining.get()?.interrupt());
        };
        Ok(TipFollower { end, interrupt: Box::new(interrupt), thread: Some(thread) })
    }
}

impl Drop for TipFollower {
    fn drop(&mut self) {
        self.end.cancel();
        (self.interrupt)();
        // It ends at its next look, which is now: what it waits for was cancelled.
        drop(self.thread.take());
    }
}

fn follow<T: Linked>(
    mining: &Remade<T, Arc<dyn Mining>>,
    known: Option<BlockHash>,
    ended: &CancelToken,
    mut tell: impl FnMut(TipEvent),
) {
    let mut last = known.unwrap_or_else(BlockHash::all_zeros);
    let mut generation = None;
    while !ended.is_cancelled() {
        let answer = ended.run(|| within(ANSWER, || mining.current())).and_then(|(number, mining)| {
            // It may have been away and back since the last answer.
            if generation.is_some_and(|last| last != number) {
                tell(TipEvent::Lost);
                tell(TipEvent::Resumed);
            }
            generation = Some(number);
            let milliseconds = QUESTION.as_secs_f64() * 1000.0;
            ended.run(|| within(QUESTION + ANSWER, || mining.wait_tip_changed(last, milliseconds)))
        });
        match answer {
            _ if ended.is_cancelled() => return,
            Ok(Some(tip)) if tip.hash != last => {
                last = tip.hash;
                tell(TipEvent::Tip(tip));
            }
            // Time is up.
            Ok(Some(_)) => {}
            Err(Error::Disconnected { .. }) => {
                tell(TipEvent::Lost);
                if !mining.wait_other(generation.take().unwrap_or(0), ended) {
                    return;
                }
                tell(TipEvent::Resumed);
            }
            // The node is about to stop, or has no tip yet.
            Ok(None) => std::thread::sleep(PAUSE),
            Err(error) => {
                log::debug!(target: "ipc", "the tip cannot be followed: {error}");
                std::thread::sleep(PAUSE);
            }
        }
    }
}
