//! Puts right wallet files in which descriptors are stored as users typed them.
//!
//! The id of a descriptor is computed from its text, and records of keys, caches and active descriptors are found by the
//! id. Versions before this one stored some texts as they were typed (`addr(BCRT1Q…)`, `raw(AB51)`, hashes in upper
//! case), and Bitcoin Core takes such a file for corrupted. Works on records as they are in the file, so that nothing is
//! lost that this version does not know.

use std::collections::{BTreeMap, HashMap};

use bitcoin::Network;

use crate::db::{Op, Record};
use crate::descriptor::{Descriptor, DescriptorId};
use crate::serialize::{ReadError, Reader, Writer};

/// Types of records whose keys begin with a descriptor's id.
const KEYED_BY_ID: [&str; 5] = [
    "walletdescriptor",
    "walletdescriptorkey",
    "walletdescriptorckey",
    "walletdescriptorcache",
    "walletdescriptorlhcache",
];
/// Types of records whose values are a descriptor's id.
const VALUE_IS_ID: [&str; 2] = ["activeexternalspk", "activeinternalspk"];

/// What is stored of a descriptor.
#[derive(Clone, Copy)]
struct Numbers {
    creation_time: u64,
    next_index: i32,
    range_start: i32,
    range_end: i32,
}

impl Numbers {
    fn read(value: &[u8]) -> Result<Self, ReadError> {
        let mut reader = Reader::new(value);
        reader.bytes()?;
        Ok(Numbers {
            creation_time: reader.u64()?,
            next_index: reader.i32()?,
            range_start: reader.i32()?,
            range_end: reader.i32()?,
        })
    }

    /// What covers both spellings of one descriptor.
    fn join(self, other: Numbers) -> Numbers {
        Numbers {
            creation_time: self.creation_time.min(other.creation_time),
            next_index: self.next_index.max(other.next_index),
            range_start: self.range_start.min(other.range_start),
            range_end: self.range_end.max(other.range_end),
        }
    }

    fn write(self, text: &str) -> Vec<u8> {
        let Numbers { creation_time, next_index, range_start, range_end } = self;
        Writer::default().string(text).u64(creation_time).i32(next_index).i32(range_start).i32(range_end).done()
    }
}

/// Brings descriptors among `records` into their canonical form and moves what belongs to them to their new ids.
/// Returns the records as they are then, and the operations that make the file the same.
pub(crate) fn mend(records: Vec<Record>, network: Network) -> (Vec<Record>, Vec<Op>) {
    let renamed: HashMap<[u8; 32], Descriptor> =
        records.iter().filter_map(|(key, value)| misspelt(key, value, network)).collect();
    if renamed.is_empty() {
        return (records, Vec::new());
    }
    let mut all: BTreeMap<Vec<u8>, Vec<u8>> = records.iter().cloned().collect();
    let mut ops = Vec::new();
    for (key, value) in records {
        let Some((new_key, new_value)) = moved(&key, &value, &renamed, &all) else { continue };
        if new_key != key {
            all.remove(&key);
            ops.push(Op::Erase(key));
        }
        all.insert(new_key.clone(), new_value.clone());
        ops.push(Op::Put(new_key, new_value));
    }
    (all.into_iter().collect(), ops)
}

/// Reads the record of a descriptor whose id is that of its text as typed, and not of its canonical form.
fn misspelt(key: &[u8], value: &[u8], network: Network) -> Option<([u8; 32], Descriptor)> {
    let mut reader = Reader::new(key);
    if reader.string().ok()? != "walletdescriptor" {
        return None;
    }
    let id = reader.array().ok()?;
    let text = Reader::new(value).string().ok()?;
    let descriptor = Descriptor::parse_stored(&text, network).ok()?;
    let as_typed = || Descriptor::id_as_typed(&text, network);
    (descriptor.id().0 != id && as_typed() == Some(DescriptorId(id))).then_some((id, descriptor))
}

/// Returns the record in place of this one, if it belongs to a descriptor that gets another id.
fn moved(
    key: &[u8],
    value: &[u8],
    renamed: &HashMap<[u8; 32], Descriptor>,
    all: &BTreeMap<Vec<u8>, Vec<u8>>,
) -> Option<Record> {
    let mut reader = Reader::new(key);
    let kind = reader.string().ok()?;
    if VALUE_IS_ID.contains(&kind.as_str()) {
        let id: [u8; 32] = value.try_into().ok()?;
        return Some((key.to_vec(), renamed.get(&id)?.id().0.to_vec()));
    }
    if !KEYED_BY_ID.contains(&kind.as_str()) {
        return None;
    }
    let descriptor = renamed.get(&reader.array::<32>().ok()?)?;
    let rest = key.get(Writer::key(&kind).raw(&[0; 32]).done().len()..)?;
    let new_key = Writer::key(&kind).raw(&descriptor.id().0).raw(rest).done();
    let existing = all.get(&new_key);
    let new_value = if kind == "walletdescriptor" {
        let numbers = Numbers::read(value).ok()?;
        let joined = match existing.map(|existing| Numbers::read(existing)) {
            Some(Ok(other)) => numbers.join(other),
            _ => numbers,
        };
        joined.write(&descriptor.public_text())
    } else {
        existing.map_or_else(|| value.to_vec(), Clone::clone)
    };
    Some((new_key, new_value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPPER: &str = "raw(AB51)#grky6rmk";

    fn descriptor_record(id: [u8; 32], text: &str, numbers: [i32; 3]) -> Record {
        let [next_index, range_start, range_end] = numbers;
        let numbers = Numbers { creation_time: 7, next_index, range_start, range_end };
        (Writer::key("walletdescriptor").raw(&id).done(), numbers.write(text))
    }

    #[test]
    fn what_belongs_to_a_descriptor_moves_with_it() {
        let network = Network::Regtest;
        let canonical = Descriptor::parse_stored(UPPER, network).unwrap();
        let (old, new) = (Descriptor::id_as_typed(UPPER, network).unwrap().0, canonical.id().0);
        assert_ne!(old, new);
        let keyed = |id: &[u8; 32], kind: &str| (Writer::key(kind).raw(id).raw(&[1, 2, 3]).done(), vec![9]);
        let other = (Writer::key("name").string("an address").done(), vec![1]);
        let active = Writer::key("activeexternalspk").u8(2).done();
        let all = |id: [u8; 32], text: &str, numbers| {
            let mut records = vec![descriptor_record(id, text, numbers), other.clone(), (active.clone(), id.to_vec())];
            records.extend(KEYED_BY_ID[1..].iter().map(|kind| keyed(&id, kind)));
            records.sort();
            records
        };
        let (records, ops) = mend(all(old, UPPER, [0, 0, 1]), network);
        assert_eq!(records, all(new, "raw(ab51)#wsmwlgr6", [0, 0, 1]));
        assert_eq!(ops.len(), 11, "five records moved, one changed");
        let (again, ops) = mend(records.clone(), network);
        assert_eq!((again, ops), (records, Vec::new()));
        // Both spellings in one file become one descriptor that covers the range of both.
        let both = [all(old, UPPER, [5, 0, 8]), vec![descriptor_record(new, "raw(ab51)#wsmwlgr6", [3, 2, 9])]].concat();
        assert_eq!(mend(both, network).0, all(new, "raw(ab51)#wsmwlgr6", [5, 0, 9]));
    }

    #[test]
    fn other_records_stay() {
        let strange = descriptor_record([1; 32], UPPER, [0, 0, 1]);
        let records =
            vec![strange, (vec![], vec![]), (vec![200], vec![1]), (Writer::key("walletdescriptor").done(), vec![])];
        assert_eq!(mend(records.clone(), Network::Regtest), (records, Vec::new()));
    }
}
