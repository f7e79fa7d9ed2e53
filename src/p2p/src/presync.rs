//! Fetching a long chain of headers from a peer that may be lying, without storing what it says.
//!
//! First the chain is gone through and only its work and a bit for every few hundred headers are kept. If the work is
//! enough, the headers are fetched again, and handed out once so many bits after them match that they must be the ones
//! whose work was counted. The bits depend on a secret key and offset, so that no other chain can be made to match.
//!
//! **Invariant:** memory is bounded by the time a chain can have taken: six headers a second since its start.

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use bitcoin::block::Header;
use bitcoin::{BlockHash, Work};
use kernel::{BlockIndex, Error, HeadersSyncParameters, Kernel};
use rand::Rng;

use crate::PeerId;
use crate::time;

/// Most headers the rules allow in a second, for a long time.
const HEADERS_PER_SECOND: i64 = 6;
/// Seconds a header may be ahead of the clock.
const MAX_FUTURE: i64 = 2 * 60 * 60;

/// A queue of bits.
#[derive(Debug, Default)]
struct Bits {
    words: VecDeque<u64>,
    /// Bits of the first word that are gone.
    start: usize,
    len: usize,
}

impl Bits {
    fn push(&mut self, bit: bool) {
        let at = self.start + self.len;
        if at / 64 == self.words.len() {
            self.words.push_back(0);
        }
        if let Some(word) = self.words.back_mut() {
            *word |= u64::from(bit) << (at % 64);
        }
        self.len += 1;
    }

    fn pop(&mut self) -> Option<bool> {
        if self.len == 0 {
            return None;
        }
        let bit = self.words.front()? >> self.start & 1 == 1;
        self.len -= 1;
        self.start += 1;
        if self.start == 64 {
            self.start = 0;
            self.words.pop_front();
        }
        Some(bit)
    }
}

/// How far it is.
#[derive(Debug)]
enum Phase {
    /// The work is being counted.
    Counting { last: Header, height: u32, work: Work },
    /// The headers are being fetched again.
    Fetching { last: BlockHash, height: u32, work: Work, buffer: VecDeque<Header>, enough: bool },
}

/// What came of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It does not continue the chain, or breaks what it promised: that was it.
    Failed,
    /// More is to be asked for, after this header; these can be taken.
    More(BlockHash, Vec<Header>),
    /// That was all; these can be taken.
    Done(Vec<Header>),
}

/// Goes through a peer's chain.
#[derive(Debug)]
pub(crate) struct Presync {
    peer: PeerId,
    start: BlockIndex,
    threshold: Work,
    parameters: HeadersSyncParameters,
    offset: u32,
    max_commitments: usize,
    key: RandomState,
    commitments: Bits,
    phase: Phase,
}

impl Presync {
    /// Begins after a block we have; `threshold` is the work the chain must have.
    pub(crate) fn new(kernel: &Kernel, peer: PeerId, start: BlockIndex, threshold: Work) -> Result<Presync, Error> {
        let parameters = kernel.headers_sync_parameters()?;
        let seconds = (time::seconds(time::now()) - start.median_time).max(0) + MAX_FUTURE;
        let most = HEADERS_PER_SECOND.saturating_mul(seconds) / i64::from(parameters.commitment_period.max(1));
        log::debug!(
            target: "net",
            "Initial headers sync started with peer={peer}: height={}, max_commitments={most}, min_work={threshold:064x}",
            start.height
        );
        Ok(Presync {
            peer,
            threshold,
            offset: rand::thread_rng().gen_range(0..parameters.commitment_period.max(1)),
            parameters,
            max_commitments: usize::try_from(most).unwrap_or(usize::MAX),
            key: RandomState::new(),
            commitments: Bits::default(),
            phase: Phase::Counting { last: start.header, height: start.height, work: start.chainwork },
            start,
        })
    }

    /// Returns the block before the chain.
    pub(crate) fn start(&self) -> BlockHash {
        self.start.hash
    }

    /// Returns height and time of the last header whose work was counted, while that is what is done.
    pub(crate) fn counted(&self) -> Option<(u32, u32)> {
        match &self.phase {
            Phase::Counting { last, height, .. } => Some((*height, last.time)),
            Phase::Fetching { .. } => None,
        }
    }

    /// Takes headers that have the work they claim and follow each other. `full` says that there may be more.
    pub(crate) fn take(&mut self, kernel: &Kernel, headers: &[Header], full: bool) -> Result<Step, Error> {
        match self.phase {
            Phase::Counting { .. } => self.count(kernel, headers, full),
            Phase::Fetching { .. } => self.fetch(kernel, headers, full),
        }
    }

    fn count(&mut self, kernel: &Kernel, headers: &[Header], full: bool) -> Result<Step, Error> {
        for header in headers {
            let Phase::Counting { last, height, work } = &mut self.phase else { return Ok(Step::Failed) };
            if header.prev_blockhash != last.block_hash() {
                return Ok(abort(self.peer, "non-continuous headers", *height, "presync"));
            }
            let next = *height + 1;
            if !kernel.permits_difficulty(next, last.bits, header.bits)? {
                return Ok(abort(self.peer, "invalid difficulty transition", next, "presync"));
            }
            if next % self.parameters.commitment_period.max(1) == self.offset {
                self.commitments.push(self.key.hash_one(header.block_hash()) & 1 == 1);
                if self.commitments.len > self.max_commitments {
                    return Ok(abort(self.peer, "exceeded max commitments", next, "presync"));
                }
            }
            (*last, *height, *work) = (*header, next, *work + header.work());
        }
        let Phase::Counting { last, height, work } = &self.phase else { return Ok(Step::Failed) };
        if *work >= self.threshold {
            let (start, from) = (&self.start, self.start.height);
            log::debug!(
                target: "net",
                "Initial headers sync transition with peer={}: reached sufficient work at height={height}, \
                 redownloading from height={from}",
                self.peer
            );
            self.phase = Phase::Fetching {
                last: start.hash,
                height: start.height,
                work: start.chainwork,
                buffer: VecDeque::new(),
                enough: false,
            };
            return Ok(Step::More(self.start.hash, Vec::new()));
        }
        if full {
            return Ok(Step::More(last.block_hash(), Vec::new()));
        }
        abort(self.peer, "incomplete headers message", *height, "presync");
        Ok(Step::Done(Vec::new()))
    }

    fn fetch(&mut self, kernel: &Kernel, headers: &[Header], full: bool) -> Result<Step, Error> {
        let Phase::Fetching { last, height, work, buffer, enough } = &mut self.phase else { return Ok(Step::Failed) };
        for header in headers {
            let next = *height + 1;
            let problem = |text: &str| Ok(abort(self.peer, text, next, "redownload"));
            if header.prev_blockhash != *last {
                return problem("non-continuous headers");
            }
            let bits = buffer.back().map_or(self.start.header.bits, |previous| previous.bits);
            if !kernel.permits_difficulty(next, bits, header.bits)? {
                return problem("invalid difficulty transition");
            }
            *work = *work + header.work();
            *enough |= *work >= self.threshold;
            if !*enough && next % self.parameters.commitment_period.max(1) == self.offset {
                match self.commitments.pop() {
                    None => return problem("commitment overrun"),
                    Some(bit) if bit != (self.key.hash_one(header.block_hash()) & 1 == 1) => {
                        return problem("commitment mismatch");
                    }
                    Some(_) => {}
                }
            }
            buffer.push_back(*header);
            (*last, *height) = (header.block_hash(), next);
        }
        let keep = if *enough { 0 } else { self.parameters.buffer_size as usize };
        let ready: Vec<Header> = buffer.drain(..buffer.len().saturating_sub(keep)).collect();
        if *enough {
            log::debug!(
                target: "net",
                "Initial headers sync complete with peer={}: releasing all at height={height} (redownload phase)",
                self.peer
            );
            return Ok(Step::Done(ready));
        }
        if full {
            return Ok(Step::More(*last, ready));
        }
        abort(self.peer, "incomplete headers message", *height, "redownload");
        Ok(Step::Done(ready))
    }
}

fn abort(peer: PeerId, text: &str, height: u32, phase: &str) -> Step {
    log::debug!(
        target: "net",
        "Initial headers sync aborted with peer={peer}: {text} at height={height} ({phase} phase)"
    );
    Step::Failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_out_in_order() {
        let mut bits = Bits::default();
        let bit = |n: usize| n.is_multiple_of(3) || n % 7 == 1;
        for n in 0..1000 {
            bits.push(bit(n));
            if n >= 200 {
                assert_eq!(bits.pop(), Some(bit(n - 200)));
            }
            assert!(bits.words.len() <= 5);
        }
        for n in 800..1000 {
            assert_eq!(bits.pop(), Some(bit(n)), "{n}");
        }
        assert_eq!(bits.pop(), None);
    }
}
