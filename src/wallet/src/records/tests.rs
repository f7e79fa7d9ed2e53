//! Records against bytes written out by hand from Bitcoin Core's serialisation, and round trips of all types.

use std::str::FromStr;

use bitcoin::bip32::Xpub;
use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::hex::DisplayHex;
use bitcoin::secp256k1::Secp256k1;

use super::*;

const XPUB: &str =
    "tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUGLnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJCTKvosUCJZL5B";
const TX: &str = "0200000001010101010101010101010101010101010101010101010101010101010101010100000000\
00fdffffff0100f2052a010000000351010200000000";

/// Encodes and decodes again; returns keys and values in hex.
fn round_trip(change: &Change) -> Vec<(String, String)> {
    let mut ops = Vec::new();
    change.encode(&mut ops);
    let mut back = Vec::new();
    let mut texts = Vec::new();
    for op in &ops {
        let Op::Put(key, value) = op else { continue };
        back.extend(Change::decode(key, value, Network::Regtest).unwrap());
        texts.push((key.to_lower_hex_string(), value.to_lower_hex_string()));
        // A record cut short anywhere is an error or means nothing, never a panic.
        (0..value.len()).for_each(|end| drop(Change::decode(key, &value[..end], Network::Regtest)));
        (0..key.len()).for_each(|end| drop(Change::decode(&key[..end], value, Network::Regtest)));
    }
    assert_eq!(back.last(), Some(change));
    texts
}

/// `rest` follows the record's type in the key.
fn check(change: Change, kind: &str, rest: &str, value: &str) {
    let key = Writer::key(kind).done().to_lower_hex_string() + rest;
    assert_eq!(round_trip(&change).last(), Some(&(key, value.to_owned())));
}

#[test]
fn records_have_cores_bytes() {
    let id = DescriptorId([3; 32]);
    let id_hex = "03".repeat(32);
    check(Change::Version(319_900), "version", "", "9ce10400");
    check(Change::Flags((1 << 34) | 4), "flags", "", "0400000004000000");
    let locator = Change::BestBlock(vec![BlockHash::from_byte_array([7; 32])]);
    check(locator, "bestblock_nomerkle", "", &format!("8011010001{}", "07".repeat(32)));
    let master = StoredMasterKey { encrypted: vec![1, 2], salt: vec![3], method: 0, rounds: 25_000, other: vec![] };
    check(Change::MasterKey(1, master), "mkey", "01000000", "020102010300000000a861000000");
    let active = Change::Active { internal: true, kind: OutputType::Bech32m, id: Some(id) };
    check(active, "activeinternalspk", "03", &id_hex);
    check(Change::Label("ab".into(), "xyz".into()), "name", "026162", "0378797a");
    check(Change::Purpose("ab".into(), "send".into()), "purpose", "026162", "0473656e64");
    check(Change::AddressData("ab".into(), "used".into(), "1".into()), "destdata", "0261620475736564", "0131");
    check(Change::NextPosition(258), "orderposnext", "", "0201000000000000");
    let outpoint = OutPoint::new(Txid::from_byte_array([9; 32]), 5);
    check(Change::LockedOutput(outpoint, true), "lockedutxo", &format!("{}05000000", "09".repeat(32)), "31");
    let xpub = Xpub::from_str(XPUB).unwrap();
    let encoded = format!("4a{}", xpub.encode()[4..].to_lower_hex_string());
    let derived = Cache { derived: [((1, 2), xpub)].into(), ..Cache::default() };
    let rest = format!("{id_hex}0100000002000000");
    check(Change::Cache(id, Box::new(derived)), "walletdescriptorcache", &rest, &encoded);
    let last = Cache { last_hardened: [(1, xpub)].into(), ..Cache::default() };
    check(Change::Cache(id, Box::new(last)), "walletdescriptorlhcache", &format!("{id_hex}01000000"), &encoded);
}

#[test]
fn keys_and_descriptors_round_trip() {
    let secret = SecretKey::from_slice(&[5; 32]).unwrap();
    let public = PublicKey::new(secret.public_key(&Secp256k1::new()));
    let descriptor = Descriptor::parse_stored(&format!("wpkh({XPUB}/84h/1h/0h/0/*)"), Network::Regtest).unwrap();
    let id = descriptor.id();
    let (creation_time, next_index, range_start, range_end) = (1_700_000_000, 3, 0, 1003);
    let record = DescriptorRecord { descriptor, creation_time, next_index, range_start, range_end };
    let text = record.descriptor.public_text();
    let expected = Writer::default().string(&text).u64(1_700_000_000).i32(3).i32(0).i32(1003).done();
    let id_hex = id.0.to_lower_hex_string();
    check(Change::Descriptor(id, Box::new(record)), "walletdescriptor", &id_hex, &expected.to_lower_hex_string());
    let written = round_trip(&Change::Key(id, public, secret));
    assert!(written[0].1.starts_with("d63081d30201010420050505"), "a length byte, then the key in DER");
    check(
        Change::EncryptedKey(id, public, vec![1, 2, 3]),
        "walletdescriptorckey",
        &format!("{id_hex}21{}", public.to_bytes().to_lower_hex_string()),
        "03010203",
    );
}

#[test]
fn transactions_round_trip_in_every_state() {
    let tx: bitcoin::Transaction = deserialize_hex(TX).unwrap();
    let block = BlockHash::from_byte_array([8; 32]);
    let states = [
        (TxState::Confirmed { block, height: None, position: 2 }, "08".repeat(32), "02000000"),
        (TxState::Conflicted { block, height: None }, "08".repeat(32), "ffffffff"),
        (TxState::Inactive { abandoned: false }, "00".repeat(32), "00000000"),
        (TxState::Inactive { abandoned: true }, format!("01{}", "00".repeat(31)), "ffffffff"),
    ];
    for (state, hash, index) in states {
        let mut entry = WalletTx::new(tx.clone(), state);
        (entry.position, entry.time_smart, entry.time_received) = (1, 7, 5);
        entry.set_text("comment", "hi");
        // fromaccount, n, timesmart sorted among the texts.
        let texts = "0407636f6d6d656e740268690b66726f6d6163636f756e7400016e01310974696d65736d6172740137";
        let expected = format!("{TX}{hash}00{index}00{texts}0000000000050000000000");
        let txid = tx.compute_txid().to_byte_array().to_lower_hex_string();
        check(Change::Tx(Box::new(entry)), "tx", &txid, &expected);
    }
}

#[test]
fn unknown_records_mean_nothing_and_legacy_ones_are_named() {
    let unknown = Writer::key("somethingnew").u32(1).done();
    assert_eq!(Change::decode(&unknown, &[1, 2, 3], Network::Regtest), Ok(None));
    let legacy = Writer::key("ckey").done();
    assert_eq!(Change::decode(&legacy, &[], Network::Regtest), Err(RecordError::Legacy("ckey".into())));
}
