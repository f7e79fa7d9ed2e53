//! What it costs to lift unconfirmed transactions to a fee rate, so that a payment that spends their outputs confirms as
//! soon as its rate promises.
//!
//! Miners take whole chunks, best first: what is in a chunk that pays the rate needs nothing. Of the rest, a transaction
//! and all that it depends on have to pay the rate together, and it alone as well.

use std::collections::{BTreeMap, HashSet};

use bitcoin::{Amount, Txid};
use interfaces::BumpFees;
use kernel::{Kernel, MempoolEntry};

/// Computes it at a rate in satoshi per 1000 virtual bytes.
pub(super) fn bump_fees(kernel: &Kernel, txids: &[Txid], rate: u64) -> Result<BumpFees, kernel::Error> {
    let mut clusters = HashSet::new();
    let mut taken = HashSet::new();
    let mut all: BTreeMap<Txid, Lack> = BTreeMap::new();
    let mut each = Vec::new();
    for txid in txids {
        if clusters.insert(*txid) {
            for chunk in kernel.mempool_cluster(txid)? {
                clusters.extend(&chunk.txids);
                if chunk.fee.to_sat() >= fee(rate, chunk.weight.div_ceil(4)) {
                    taken.extend(chunk.txids);
                }
            }
        }
        // Whoever left the mempool meanwhile needs nothing any more.
        let entry = if taken.contains(txid) { None } else { kernel.mempool_entry(txid)? };
        let Some(entry) = entry else {
            each.push(Amount::ZERO);
            continue;
        };
        let alone = Lack::of(&entry);
        let ancestors = kernel.mempool_ancestors(txid)?.unwrap_or_default();
        let mut depends: BTreeMap<Txid, Lack> = ancestors
            .iter()
            .filter(|ancestor| !taken.contains(&ancestor.txid))
            .map(|ancestor| (ancestor.txid, Lack::of(ancestor)))
            .collect();
        depends.insert(*txid, alone);
        each.push(lack(rate, depends.values()).max(lack(rate, [&alone])));
        all.append(&mut depends);
    }
    // Together they need no less than any of them alone.
    let together = lack(rate, all.values()).max(each.iter().copied().max().unwrap_or_default());
    Ok(BumpFees { each, together })
}

/// Size and fee of a transaction.
#[derive(Clone, Copy)]
struct Lack {
    vsize: u64,
    fee: i64,
}

impl Lack {
    fn of(entry: &MempoolEntry) -> Self {
        Lack { vsize: entry.vsize, fee: entry.modified_fee.to_sat() }
    }
}

fn lack<'a>(rate: u64, of: impl IntoIterator<Item = &'a Lack>) -> Amount {
    let (mut vsize, mut paid) = (0, 0_i64);
    for entry in of {
        vsize += entry.vsize;
        paid = paid.saturating_add(entry.fee);
    }
    Amount::from_sat(u64::try_from(fee(rate, vsize).saturating_sub(paid)).unwrap_or(0))
}

fn fee(rate: u64, vsize: u64) -> i64 {
    i64::try_from(rate.saturating_mul(vsize).div_ceil(1000)).unwrap_or(i64::MAX)
}
