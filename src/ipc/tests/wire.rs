//! Recorded clients of released versions: what they send stays as it is, and so must what they get.
//!
//! Each file holds the bytes a client sent that never waited for an answer (lines with `>`), and for each of its calls
//! the answer (`<`, the number the client gave it, and the results in canonical form, or the exception). The client's
//! bytes name objects by the calls that return them and so do not depend on numbers of the server's.

mod content;
mod document;
mod own;

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use bitcoin::hex::{DisplayHex, FromHex};
use capnp::message::ReaderOptions;
use capnp_rpc::rpc_capnp::{exception, message, payload, return_};
use testing::FakeInit;

use crate::link::{LIMIT, ends};

#[test]
fn clients_of_core_31_get_what_they_got() {
    check("core-31.txt");
}

#[test]
fn clients_of_core_30_get_what_they_got() {
    check("core-30.txt");
}

#[track_caller]
fn check(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let sent: String = text.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    let expected: Vec<_> = text.lines().filter(|line| line.starts_with("< ")).collect();
    let sent = Vec::<u8>::from_hex(&sent).unwrap();
    let calls = calls(&sent);
    let answers = ends(move || replay(&sent, calls));
    let got: Vec<_> = answers.into_iter().map(|(id, answer)| format!("< {id} {answer}")).collect();
    assert_eq!(got.len(), calls);
    assert!(got == expected, "answers of {file} differ; they are now\n{}\n", got.join("\n"));
}

/// Counts the messages that want an answer.
fn calls(mut sent: &[u8]) -> usize {
    let mut count = 0;
    while !sent.is_empty() {
        let message = capnp::serialize::read_message(&mut sent, ReaderOptions::new()).unwrap();
        let root = message.get_root::<message::Reader<'_>>().unwrap();
        count += usize::from(matches!(root.which(), Ok(message::Call(_) | message::Bootstrap(_))));
    }
    count
}

/// Sends a client's bytes to fakes and collects the answers.
fn replay(sent: &[u8], calls: usize) -> BTreeMap<u32, String> {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(LIMIT)).unwrap();
    let _server = ipc::Server::start(theirs, "recorded", Arc::new(FakeInit::default())).unwrap();
    ours.write_all(sent).unwrap();
    let mut answers = BTreeMap::new();
    while answers.len() < calls {
        let message = capnp::serialize::read_message(&mut ours, ReaderOptions::new()).unwrap();
        let root = message.get_root::<message::Reader<'_>>().unwrap();
        if let Ok(message::Return(answer)) = root.which() {
            let answer: return_::Reader<'_> = answer.unwrap();
            answers.insert(answer.get_answer_id(), describe(answer));
        }
    }
    answers
}

fn describe(answer: return_::Reader<'_>) -> String {
    match answer.which().unwrap() {
        return_::Results(results) => {
            let results: payload::Reader<'_> = results.unwrap();
            if !results.get_cap_table().unwrap().is_empty() {
                return "an object".to_owned();
            }
            let mut canonical = capnp::message::Builder::new_default();
            canonical.set_root_canonical(results.get_content()).unwrap();
            let words = canonical.get_segments_for_output();
            words.iter().map(|segment| segment.to_lower_hex_string()).collect()
        }
        return_::Exception(thrown) => {
            let thrown: exception::Reader<'_> = thrown.unwrap();
            format!("{:?} {}", thrown.get_type().unwrap(), thrown.get_reason().unwrap().to_str().unwrap())
        }
        _ => "something else".to_owned(),
    }
}
