//! The transport of the first clients: a header of 24 bytes (network, name, size, checksum) and the payload.
//!
//! **Invariant:** memory grows with the bytes that came, not with the size a header claims.

use bitcoin::hashes::{Hash, sha256d};
use bitcoin::hex::DisplayHex;

use super::{Frame, MAX_PAYLOAD, TransportError};
use crate::message_type::sanitize;

/// Bytes of the header.
pub(crate) const HEADER_SIZE: usize = 24;
/// Bytes of the name in it.
const NAME_SIZE: usize = 12;
/// Most bytes to make room for ahead of those that came.
const ROOM_AHEAD: usize = 256 * 1024;

/// Puts a message into its frame.
pub(crate) fn encode(magic: [u8; 4], name: &str, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER_SIZE + payload.len());
    frame.extend_from_slice(&magic);
    let mut padded = [0; NAME_SIZE];
    for (to, from) in padded.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    frame.extend_from_slice(&padded);
    frame.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    frame.extend_from_slice(&checksum(payload));
    frame.extend_from_slice(payload);
    frame
}

fn checksum(payload: &[u8]) -> [u8; 4] {
    let hash = sha256d::Hash::hash(payload).to_byte_array();
    [hash[0], hash[1], hash[2], hash[3]]
}

/// Takes messages out of the bytes of a connection.
#[derive(Debug)]
pub(crate) struct Reader {
    magic: [u8; 4],
    state: State,
}

#[derive(Debug)]
enum State {
    Header { bytes: [u8; HEADER_SIZE], filled: usize },
    Payload { header: Header, payload: Vec<u8> },
}

#[derive(Debug)]
struct Header {
    name: [u8; NAME_SIZE],
    size: usize,
    checksum: [u8; 4],
}

const START: State = State::Header { bytes: [0; HEADER_SIZE], filled: 0 };

impl Reader {
    /// Reads messages of the network whose messages begin with `magic`.
    pub(crate) fn new(magic: [u8; 4]) -> Self {
        Reader { magic, state: START }
    }

    /// Takes bytes off the front of `input` until a message is complete or nothing is left.
    pub(crate) fn read(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, TransportError> {
        loop {
            match &mut self.state {
                State::Header { bytes, filled } => {
                    *filled += take(input, &mut bytes[*filled..]);
                    if *filled < HEADER_SIZE {
                        return Ok(None);
                    }
                    let header = Header::parse(self.magic, *bytes)?;
                    self.state = State::Payload { header, payload: Vec::new() };
                }
                State::Payload { header, payload } => {
                    let count = (header.size - payload.len()).min(input.len());
                    if payload.capacity() < payload.len() + count {
                        let room = header.size.min(payload.len() + count + ROOM_AHEAD);
                        payload.reserve_exact(room - payload.len());
                    }
                    payload.extend_from_slice(&input[..count]);
                    *input = &input[count..];
                    if payload.len() < header.size {
                        return Ok(None);
                    }
                    let State::Payload { header, payload } = std::mem::replace(&mut self.state, START) else {
                        return Ok(None);
                    };
                    return Ok(Some(finish(&header, payload)));
                }
            }
        }
    }
}

impl Header {
    fn parse(network: [u8; 4], bytes: [u8; HEADER_SIZE]) -> Result<Header, TransportError> {
        let (magic, rest) = bytes.split_at(4);
        if magic != network {
            return Err(TransportError::WrongStart(magic.to_lower_hex_string()));
        }
        let (name, rest) = rest.split_at(NAME_SIZE);
        let (size, checksum) = rest.split_at(4);
        let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]);
        let mut header = Header {
            name: [0; NAME_SIZE],
            size: size as usize,
            checksum: [checksum[0], checksum[1], checksum[2], checksum[3]],
        };
        header.name.copy_from_slice(name);
        if header.size > MAX_PAYLOAD {
            return Err(TransportError::TooLarge(sanitize(trimmed(&header.name)), size));
        }
        Ok(header)
    }
}

/// Returns the name without what fills it up.
fn trimmed(name: &[u8; NAME_SIZE]) -> &[u8] {
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(NAME_SIZE);
    &name[..end]
}

fn finish(header: &Header, payload: Vec<u8>) -> Frame {
    let size = HEADER_SIZE + payload.len();
    let name = trimmed(&header.name);
    let refuse = |reason: String| Frame::Refused { reason, size };
    let sum = checksum(&payload);
    if sum != header.checksum {
        return refuse(format!(
            "Wrong checksum ({}, {} bytes), expected {} was {}",
            sanitize(name),
            payload.len(),
            sum.to_lower_hex_string(),
            header.checksum.to_lower_hex_string()
        ));
    }
    let printable = name.iter().all(|byte| (b' '..=b'~').contains(byte));
    let padded = header.name[name.len()..].iter().all(|byte| *byte == 0);
    if !printable || !padded {
        return refuse(format!("Invalid message type ({}, {} bytes)", sanitize(name), payload.len()));
    }
    Frame::Message { name: String::from_utf8_lossy(name).into_owned(), payload, size }
}

/// Moves as many bytes as there are and fit; returns how many.
fn take(from: &mut &[u8], to: &mut [u8]) -> usize {
    let count = from.len().min(to.len());
    to[..count].copy_from_slice(&from[..count]);
    *from = &from[count..];
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];

    fn frames(bytes: &[u8], piece: usize) -> Result<Vec<Frame>, TransportError> {
        let mut reader = Reader::new(MAGIC);
        let mut frames = Vec::new();
        for mut chunk in bytes.chunks(piece) {
            while !chunk.is_empty() {
                frames.extend(reader.read(&mut chunk)?);
            }
        }
        Ok(frames)
    }

    #[test]
    fn messages_come_out_however_they_are_cut() {
        let mut bytes = encode(MAGIC, "ping", &[1; 8]);
        bytes.extend(encode(MAGIC, "verack", &[]));
        for piece in 1..=bytes.len() {
            let got = frames(&bytes, piece).unwrap();
            let expected = [
                Frame::Message { name: "ping".to_owned(), payload: vec![1; 8], size: 32 },
                Frame::Message { name: "verack".to_owned(), payload: vec![], size: 24 },
            ];
            assert_eq!(got, expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn damaged_messages_are_passed_over_and_foreign_ones_end_the_connection() {
        let mut bad = encode(MAGIC, "ping", &[1; 8]);
        bad[20] ^= 1;
        let got = frames(&bad, 100).unwrap();
        assert!(matches!(&got[..], [Frame::Refused { reason, size: 32 }] if reason.starts_with("Wrong checksum")));

        let mut bad = encode(MAGIC, "ping", &[]);
        bad[4 + 11] = b'x';
        let got = frames(&bad, 100).unwrap();
        assert!(
            matches!(&got[..], [Frame::Refused { reason, .. }] if reason == "Invalid message type (ping, 0 bytes)")
        );

        let mut bad = encode(MAGIC, "ping", &[]);
        bad[0] = 0;
        assert_eq!(frames(&bad, 100), Err(TransportError::WrongStart("00bfb5da".to_owned())));

        let mut bad = encode(MAGIC, "block", &[]);
        bad[16..20].copy_from_slice(&4_000_001u32.to_le_bytes());
        assert_eq!(frames(&bad, 100), Err(TransportError::TooLarge("block".to_owned(), 4_000_001)));
    }

    #[test]
    fn room_is_made_for_what_came_only() {
        let mut claim = encode(MAGIC, "block", &[]);
        claim[16..20].copy_from_slice(&4_000_000u32.to_le_bytes());
        claim.push(0);
        let mut reader = Reader::new(MAGIC);
        assert_eq!(reader.read(&mut &claim[..]), Ok(None));
        let State::Payload { payload, .. } = &reader.state else { panic!("the header is complete") };
        assert!(payload.capacity() <= ROOM_AHEAD + 1, "{}", payload.capacity());
    }
}
