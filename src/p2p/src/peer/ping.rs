//! The round trip to a peer.

use std::time::Duration;

use crate::time::Time;

/// A ping and what is known of those before.
#[derive(Debug, Default)]
pub(crate) struct Ping {
    /// The user wants one.
    pub wanted: bool,
    /// When the last one went.
    pub sent: Option<Time>,
    /// Its number, while its answer is awaited.
    pub awaited: Option<u64>,
    /// Last round trip.
    pub last: Option<Duration>,
    /// Shortest round trip.
    pub shortest: Option<Duration>,
}

/// Why an answer is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PongProblem {
    Short,
    Unsolicited,
    Mismatch,
    Zero,
    Timing,
}

impl PongProblem {
    /// Returns what the log says.
    pub(crate) fn text(self) -> &'static str {
        match self {
            PongProblem::Short => "Short payload",
            PongProblem::Unsolicited => "Unsolicited pong without ping",
            PongProblem::Mismatch => "Nonce mismatch",
            PongProblem::Zero => "Nonce zero",
            PongProblem::Timing => "Timing mishap",
        }
    }
}

impl Ping {
    /// Takes an answer with this number; none if it was too short to have one.
    pub(crate) fn answered(&mut self, nonce: Option<u64>, now: Time) -> Result<(), PongProblem> {
        let Some(nonce) = nonce else {
            self.awaited = None;
            return Err(PongProblem::Short);
        };
        let awaited = self.awaited.ok_or(PongProblem::Unsolicited)?;
        if nonce != awaited {
            if nonce == 0 {
                self.awaited = None;
                return Err(PongProblem::Zero);
            }
            return Err(PongProblem::Mismatch);
        }
        self.awaited = None;
        let trip = self.sent.and_then(|sent| now.checked_sub(sent)).ok_or(PongProblem::Timing)?;
        self.last = Some(trip);
        self.shortest = Some(self.shortest.map_or(trip, |shortest| shortest.min(trip)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let second = Duration::from_secs;
        let start = || Ping { sent: Some(second(100)), awaited: Some(7), ..Ping::default() };
        let mut ping = start();
        assert_eq!(ping.answered(Some(7), second(103)), Ok(()));
        assert_eq!((ping.last, ping.shortest, ping.awaited), (Some(second(3)), Some(second(3)), None));
        assert_eq!(ping.answered(Some(7), second(104)), Err(PongProblem::Unsolicited));
        let check = |nonce: Option<u64>, now: u64, expected: PongProblem, still_awaited: bool| {
            let mut ping = start();
            assert_eq!(ping.answered(nonce, second(now)), Err(expected));
            assert_eq!(ping.awaited.is_some(), still_awaited, "{nonce:?}");
        };
        check(None, 101, PongProblem::Short, false);
        check(Some(8), 101, PongProblem::Mismatch, true);
        check(Some(0), 101, PongProblem::Zero, false);
        check(Some(7), 99, PongProblem::Timing, false);
    }
}
