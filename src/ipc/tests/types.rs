//! Every kind of type that can cross, there and back.

use std::os::unix::net::UnixStream;
use std::sync::Arc;

use multiprocess::{Connection, Options};

use crate::probe::{self, Probe, ProbeClient};

/// A probe behind a connection of its own; the connections keep it there.
fn link() -> (Arc<ProbeClient>, [Connection; 2]) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = probe::serve(theirs, probe::Local, Options::default());
    let (client, probe) = probe::connect(ours, Options::default());
    (probe, [client, server])
}

#[test]
fn bytes_and_numbers() {
    let (probe, _link) = link();
    for size in [0, 1, 4 << 20] {
        let bytes = probe.bytes(size as u64).unwrap();
        assert_eq!(bytes.len(), size);
        assert_eq!(probe.take(bytes).unwrap(), size as u64);
    }
    let floats = probe.floats(1.5, f64::NEG_INFINITY).unwrap();
    assert_eq!(floats, [1.5, f64::NEG_INFINITY]);
    assert!(probe.floats(0.0, f64::NAN).unwrap()[1].is_nan());
}
