//! The process's event loop, shared by all its connections.

use std::sync::{Mutex, PoisonError};

use multiprocess::{EventLoop, Host};

use crate::{Error, Result};

static SHARED: Mutex<Option<EventLoop>> = Mutex::new(None);

/// Lets a thread with a poll loop of its own do the event loop's waiting; `None` if one does already.
///
/// # Errors
/// If the event loop cannot be started.
pub fn host() -> Result<Option<Host>> {
    Ok(event_loop()?.host())
}

/// Returns the event loop, started at the first call.
pub(crate) fn event_loop() -> Result<EventLoop> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = &*shared {
        return Ok(running.clone());
    }
    let started = EventLoop::start().map_err(Error::Setup)?;
    *shared = Some(started.clone());
    Ok(started)
}
