//! Searching blocks on disk: catching up after loading, `rescanblockchain`, and after an import.
//!
//! The node does the reading and matching, a page of blocks at a time. A page that uses up addresses is searched again
//! from the block that did, for the scripts derived since: payments to them can be in the same block.
//!
//! **Invariant:** one search at a time per wallet; the keys do not relock under it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use bitcoin::ScriptBuf;
use interfaces::{ScanPage, ScanRequest};

use super::Wallet;
use crate::error::{Error, Result};
use crate::records::TxState;
use crate::track::Sighting;

/// Blocks per page; large enough that the call costs nothing beside the reading.
const PAGE_BLOCKS: u32 = 2000;

/// How a search is getting on.
#[derive(Default)]
pub(crate) struct Progress {
    running: AtomicBool,
    aborted: AtomicBool,
    started: Mutex<Option<Instant>>,
    /// Millionths done.
    done: AtomicU64,
}

impl Progress {
    /// Starts a search; `None` if one is running.
    pub(crate) fn reserve(&self) -> Option<Reservation<'_>> {
        if self.running.swap(true, Ordering::SeqCst) {
            return None;
        }
        self.aborted.store(false, Ordering::SeqCst);
        self.done.store(0, Ordering::SeqCst);
        *self.started.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Some(Reservation(self))
    }

    /// Asks a running search to stop; says whether one was running and not asked before.
    pub(crate) fn abort(&self) -> bool {
        self.running.load(Ordering::SeqCst) && !self.aborted.swap(true, Ordering::SeqCst)
    }

    /// Seconds since the start and part done of a running search.
    pub(crate) fn running(&self) -> Option<(u64, f64)> {
        let started = *self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.done.load(Ordering::SeqCst) as f64 / 1e6;
        self.running.load(Ordering::SeqCst).then(|| (started.map_or(0, |at| at.elapsed().as_secs()), done))
    }
}

/// The right to search; ends the search when dropped.
pub(crate) struct Reservation<'a>(&'a Progress);

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::SeqCst);
    }
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScanEnd {
    /// Everything was read, up to this height and its block, if there was anything.
    Done(Option<(u32, bitcoin::BlockHash)>),
    /// The block at this height could not be read.
    Unreadable(u32),
    /// Someone asked it to stop.
    Aborted,
}

impl Wallet {
    /// Searches blocks `start..=stop`, to the tip if `stop` is `None`. Takes the lock page by page.
    pub(crate) fn scan_blocks(&self, start: u32, stop: Option<u32>, _: &Reservation<'_>) -> Result<ScanEnd> {
        let end = stop.map_or_else(|| self.chain.status().map(|status| status.tip.height), Ok)?;
        let (mut next, mut last) = (start, None);
        loop {
            if self.scan.aborted.load(Ordering::SeqCst) {
                return Ok(ScanEnd::Aborted);
            }
            let page = self.scan_page(next, stop)?;
            last = page.last.as_ref().map(|block| (block.height, block.hash)).or(last);
            let span = u64::from(end.saturating_sub(start)) + 1;
            self.scan.done.store(u64::from(next.saturating_sub(start)) * 1_000_000 / span, Ordering::SeqCst);
            match (page.unreadable, page.next_height) {
                (Some(height), _) => return Ok(ScanEnd::Unreadable(height)),
                (None, Some(height)) => next = height,
                (None, None) => return Ok(ScanEnd::Done(last)),
            }
        }
    }

    /// Searches one page, again and again for the scripts derived meanwhile, until none are.
    fn scan_page(&self, start: u32, stop: Option<u32>) -> Result<ScanPage> {
        let mut known = self.state().script_log.len();
        let scripts = self.state().script_log.clone();
        let request = ScanRequest { start_height: start, stop_height: stop, scripts, max_blocks: PAGE_BLOCKS };
        let (first, mut grew) = self.take_page(&request)?;
        while let (Some(height), Some(last)) = (grew, &first.last) {
            let scripts: Vec<ScriptBuf> = self.state().script_log.get(known..).unwrap_or_default().to_vec();
            known += scripts.len();
            let again = ScanRequest {
                start_height: height,
                stop_height: Some(last.height),
                scripts,
                max_blocks: last.height.saturating_sub(height) + 1,
            };
            (_, grew) = self.take_page(&again)?;
        }
        Ok(first)
    }

    /// Asks for a page and takes it in; returns it with the height of the first block in it that used up addresses.
    fn take_page(&self, request: &ScanRequest) -> Result<(ScanPage, Option<u32>)> {
        let (page, mut state) = loop {
            let left = self.state().news.disconnected;
            let page = self.chain.scan(request.clone())?;
            let state = self.state();
            // Otherwise a block of the page may have left the chain, and the wallet may have taken it back already.
            if state.news.disconnected == left {
                break (page, state);
            }
        };
        let mut grew = None;
        for found in &page.blocks {
            let block = &found.block;
            let before = state.script_log.len();
            for (position, tx) in found.positions.iter().zip(&found.transactions) {
                let place = TxState::Confirmed { block: block.hash, height: Some(block.height), position: *position };
                let times = Some((block.time, block.max_time));
                state.see(tx, &Sighting { rescan: true, ..self.sighting(place, times) })?;
            }
            if state.script_log.len() > before {
                grew = grew.or(Some(block.height));
            }
        }
        self.publish(state);
        Ok((page, grew))
    }

    /// Starts a search or refuses because one is running.
    pub(crate) fn reserve_scan(&self) -> Result<Reservation<'_>> {
        self.scan
            .reserve()
            .ok_or_else(|| Error::wallet("Wallet is currently rescanning. Abort existing rescan or wait."))
    }
}
