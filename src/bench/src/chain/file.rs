//! Chains on disk, framed as in Bitcoin Core's block files, so that `-loadblock` reads them too.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use bitcoin::Block;
use bitcoin::consensus::serialize;

/// What regtest's block files and messages begin with.
pub const MAGIC: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];
/// Bytes before a block: the magic and its length.
const HEADER: usize = 8;

/// Where a block is in a file.
pub type Frame = std::ops::Range<usize>;

/// Writes a file of blocks.
pub(super) struct Writer(BufWriter<File>);

impl Writer {
    pub(super) fn create(path: &Path) -> Result<Writer> {
        let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Writer(BufWriter::new(file)))
    }

    pub(super) fn write(&mut self, block: &Block) -> Result<()> {
        let bytes = serialize(block);
        self.0.write_all(&MAGIC)?;
        self.0.write_all(&u32::try_from(bytes.len())?.to_le_bytes())?;
        Ok(self.0.write_all(&bytes)?)
    }

    pub(super) fn finish(mut self) -> Result<()> {
        Ok(self.0.flush()?)
    }
}

/// The blocks of a file's bytes.
pub fn frames(bytes: &[u8]) -> Result<Vec<Frame>> {
    let mut frames = Vec::new();
    let mut at = 0;
    while let Some(header) = bytes.get(at..at + HEADER) {
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let frame = at + HEADER..at + HEADER + length;
        if header[..4] != MAGIC || frame.end > bytes.len() {
            bail!("the file of blocks is damaged at byte {at}");
        }
        at = frame.end;
        frames.push(frame);
    }
    Ok(frames)
}
