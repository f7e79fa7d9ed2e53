//! Searches blocks for transactions of interest. The matching is apart from the reading, so that it can be tested on
//! blocks that never were on a disk.

use std::collections::HashSet;

use bitcoin::{Block, Script, ScriptBuf};
use interfaces::{Result, ScanPage, ScanRequest, ScannedBlock};
use kernel::{Coin, Kernel};

use super::convert::{block_ref, internal};

/// Blocks read from disk at a time.
const BATCH: u32 = 8;
/// Bytes of matching transactions after which a page ends: a page has to fit one message between processes.
const PAGE_BYTES: usize = 4 << 20;

/// Reads one page.
pub(super) fn scan(kernel: &Kernel, request: ScanRequest) -> Result<ScanPage> {
    let ScanRequest { start_height, stop_height, scripts, max_blocks } = request;
    let scripts: HashSet<ScriptBuf> = scripts.into_iter().collect();
    let mut page = ScanPage { blocks: Vec::new(), last: None, next_height: None, unreadable: None };
    let tip = kernel.tip().map_err(internal)?.height;
    let stop = stop_height.unwrap_or(tip).min(tip);
    let mut height = start_height;
    let mut left = max_blocks.max(1);
    let mut bytes = 0;
    while height <= stop {
        if left == 0 || bytes >= PAGE_BYTES {
            page.next_height = Some(height);
            return Ok(page);
        }
        let count = BATCH.min(left).min(stop - height + 1);
        let blocks = kernel.read_blocks(height, count).map_err(internal)?;
        if blocks.is_empty() {
            // The chain may have become shorter since the tip was looked at; otherwise the block is not to be had.
            if kernel.hash_at(height).map_err(internal)?.is_some() {
                page.unreadable = Some(height);
            }
            return Ok(page);
        }
        for (index, raw) in blocks {
            if bytes >= PAGE_BYTES {
                page.next_height = Some(height);
                return Ok(page);
            }
            let Ok(block) = bitcoin::consensus::deserialize::<Block>(&raw) else {
                page.unreadable = Some(height);
                return Ok(page);
            };
            let spent = match block.txdata.len() {
                0 | 1 => Vec::new(),
                _ => match kernel.read_undo(&index.hash) {
                    Ok(spent) => spent,
                    Err(error) => {
                        log::warn!("cannot read what block {} spent: {error}", index.hash);
                        page.unreadable = Some(height);
                        return Ok(page);
                    }
                },
            };
            let positions = matches(&block, &spent, &|script| scripts.contains(script));
            let block_ref = block_ref(&index);
            if !positions.is_empty() {
                let transactions: Vec<_> =
                    positions.iter().map(|position| block.txdata[*position as usize].clone()).collect();
                bytes += transactions.iter().map(bitcoin::Transaction::total_size).sum::<usize>();
                page.blocks.push(ScannedBlock { block: block_ref.clone(), positions, transactions });
            }
            page.last = Some(block_ref);
            height += 1;
            left -= 1;
        }
    }
    Ok(page)
}

/// Returns the positions of the transactions that pay to or spend from a script of interest. `spent` has the coins of
/// every transaction but the coinbase.
fn matches(block: &Block, spent: &[Vec<Coin>], wanted: &dyn Fn(&Script) -> bool) -> Vec<u32> {
    let pays = |position: usize| block.txdata[position].output.iter().any(|output| wanted(&output.script_pubkey));
    let spends = |position: usize| {
        let coins = position.checked_sub(1).and_then(|position| spent.get(position));
        coins.is_some_and(|coins| coins.iter().any(|coin| wanted(&coin.output.script_pubkey)))
    };
    (0..block.txdata.len())
        .filter(|position| pays(*position) || spends(*position))
        .filter_map(|position| u32::try_from(position).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use bitcoin::{Amount, Transaction, TxIn, TxOut, absolute, transaction};

    use super::*;

    fn output(tag: u8) -> TxOut {
        TxOut { value: Amount::from_sat(1), script_pubkey: ScriptBuf::from_bytes(vec![tag]) }
    }

    fn pays(tag: u8) -> Transaction {
        Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn::default()],
            output: vec![output(tag)],
        }
    }

    fn spends(tag: u8) -> Vec<Coin> {
        vec![Coin { output: output(tag), height: Some(1), coinbase: false }]
    }

    #[test]
    fn finds_payments_and_spends() {
        let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
        let block = Block { header: genesis.header, txdata: vec![pays(1), pays(2), pays(3)] };
        let spent = [spends(1), spends(4)];
        let check = |tag: u8, expected: &[u32]| {
            let found = matches(&block, &spent, &|script| script.as_bytes() == [tag]);
            assert_eq!(found, expected, "script {tag}");
        };
        check(1, &[0, 1]);
        check(2, &[1]);
        check(3, &[2]);
        check(4, &[2]);
        check(5, &[]);
    }
}
