//! A mempool entry as JSON.

use kernel::MempoolEntry;
use rpc::Res;
use rpc::json::{self as values, Text};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::rpc::shape::transaction::List;

pub(super) const DOC: &[Res] = &[
    Res::num("vsize", "Virtual size (BIP141)"),
    Res::num("weight", "Weight (BIP141)"),
    Res::time("time", "When it came, in Unix seconds"),
    Res::num("height", "Height of the tip when it came"),
    Res::num("descendantcount", "Descendants in the mempool, itself included"),
    Res::num("descendantsize", "Their virtual size"),
    Res::num("ancestorcount", "Ancestors in the mempool, itself included"),
    Res::num("ancestorsize", "Their virtual size"),
    Res::num("chunkweight", "Weight, adjusted for sigops, of the chunk it would be mined with"),
    Res::hex("wtxid", "Its hash with the witness"),
    Res::obj(
        "fees",
        "",
        &[
            Res::amount("base", "Its fee in BTC"),
            Res::amount("modified", "Its fee in BTC with the delta that counts for mining"),
            Res::amount("ancestor", "Modified fees of its ancestors and itself, in BTC"),
            Res::amount("descendant", "Modified fees of its descendants and itself, in BTC"),
            Res::amount("chunk", "Modified fees of its chunk, in BTC"),
        ],
    ),
    Res::arr("depends", "Unconfirmed transactions it spends from", &[Res::hex("transactionid", "Parent's id")]),
    Res::arr("spentby", "Unconfirmed transactions that spend from it", &[Res::hex("transactionid", "Child's id")]),
    Res::bool("unbroadcast", "Whether no peer has asked for it yet"),
    Res::bool("bip125-replaceable", "Whether it or an ancestor signals BIP125 (only with `-deprecatedrpc=bip125`)")
        .optional()
        .elided(),
];

/// An entry as it is shown.
pub(super) struct View<'a> {
    pub entry: &'a MempoolEntry,
    /// With `-deprecatedrpc=bip125`.
    pub bip125: bool,
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = self.entry;
        let mut out = serializer.serialize_map(None)?;
        out.serialize_entry("vsize", &entry.vsize)?;
        out.serialize_entry("weight", &entry.weight)?;
        out.serialize_entry("time", &entry.time)?;
        out.serialize_entry("height", &entry.height)?;
        out.serialize_entry("descendantcount", &entry.descendant_count)?;
        out.serialize_entry("descendantsize", &entry.descendant_size)?;
        out.serialize_entry("ancestorcount", &entry.ancestor_count)?;
        out.serialize_entry("ancestorsize", &entry.ancestor_size)?;
        out.serialize_entry("wtxid", &Text(entry.wtxid))?;
        out.serialize_entry("chunkweight", &entry.chunk_weight)?;
        out.serialize_entry("fees", &Fees(entry))?;
        out.serialize_entry("depends", &List(entry.depends.iter().map(Text)))?;
        out.serialize_entry("spentby", &List(entry.spent_by.iter().map(Text)))?;
        out.serialize_entry("unbroadcast", &entry.unbroadcast)?;
        if self.bip125 {
            out.serialize_entry("bip125-replaceable", &entry.bip125_replaceable)?;
        }
        out.end()
    }
}

struct Fees<'a>(&'a MempoolEntry);

impl Serialize for Fees<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(None)?;
        out.serialize_entry("base", &values::amount(self.0.fee))?;
        out.serialize_entry("modified", &values::signed_amount(self.0.modified_fee))?;
        out.serialize_entry("ancestor", &values::signed_amount(self.0.ancestor_fees))?;
        out.serialize_entry("descendant", &values::signed_amount(self.0.descendant_fees))?;
        out.serialize_entry("chunk", &values::signed_amount(self.0.chunk_fee))?;
        out.end()
    }
}

/// Entries by the id of their transaction.
pub(super) struct Entries<'a> {
    pub entries: &'a [MempoolEntry],
    pub bip125: bool,
}

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bip125 = self.bip125;
        serializer.collect_map(self.entries.iter().map(|entry| (Text(entry.txid), View { entry, bip125 })))
    }
}
