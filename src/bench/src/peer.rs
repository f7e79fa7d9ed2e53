//! A peer that serves a generated chain to whoever connects.
//!
//! It learns the chain as the file has it: a branch that will lose is its best chain until a node has fetched the branch's
//! last block; then it announces the one that wins. So every node that syncs from it goes through the same reorganisations.

use std::collections::HashMap;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result};
use bitcoin::block::Header;
use bitcoin::consensus::deserialize;
use bitcoin::p2p::message_blockdata::{GetHeadersMessage, Inventory};
use bitcoin::{BlockHash, VarInt};

use crate::chain::frames;
use crate::wire;

/// Most headers in a message.
const MAX_HEADERS: usize = 2_000;
/// Bytes of a header.
const HEADER: usize = 80;

/// A chain in memory, ready to be sent.
pub struct Chain {
    blocks: Vec<Served>,
    positions: HashMap<BlockHash, usize>,
    genesis: BlockHash,
}

struct Served {
    hash: BlockHash,
    header: Header,
    /// The whole message.
    message: Vec<u8>,
}

impl Chain {
    /// Takes the bytes of a file of blocks.
    pub fn new(bytes: &[u8]) -> Result<Chain> {
        let mut blocks = Vec::new();
        for frame in frames(bytes)? {
            let block = &bytes[frame];
            let header: Header = deserialize(block.get(..HEADER).context("a block has a header")?)?;
            blocks.push(Served { hash: header.block_hash(), header, message: wire::message("block", block) });
        }
        let positions = blocks.iter().enumerate().map(|(position, block)| (block.hash, position)).collect();
        let genesis = blocks.first().context("a chain has blocks")?.header.prev_blockhash;
        Ok(Chain { blocks, positions, genesis })
    }

    /// The last block.
    pub fn tip(&self) -> BlockHash {
        self.blocks.last().map_or(self.genesis, |block| block.hash)
    }
}

/// Serves the chain on a port of the system's choice, which is returned, until the program ends.
pub fn serve(chain: Arc<Chain>) -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot listen for nodes")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let chain = chain.clone();
            // That a node goes away is how a measurement ends.
            thread::spawn(move || View::new(&chain).converse(stream));
        }
    });
    Ok(port)
}

/// What one node was told so far.
struct View<'a> {
    chain: &'a Chain,
    /// Positions of the blocks of the best chain, by height less one.
    best: Vec<usize>,
    /// Height by block, of the best chain alone.
    heights: HashMap<BlockHash, usize>,
}

impl<'a> View<'a> {
    fn new(chain: &'a Chain) -> View<'a> {
        let mut view = View { chain, best: Vec::new(), heights: HashMap::from([(chain.genesis, 0)]) };
        view.advance(0);
        view
    }

    /// Takes blocks from a position on until the next branch begins; returns the height at which they fork off.
    fn advance(&mut self, from: usize) -> usize {
        let blocks = &self.chain.blocks;
        let fork = self.heights.get(&blocks[from].header.prev_blockhash).copied().unwrap_or(0);
        for lost in self.best.drain(fork..) {
            self.heights.remove(&blocks[lost].hash);
        }
        for position in from..blocks.len() {
            if position > from && blocks[position].header.prev_blockhash != blocks[position - 1].hash {
                break;
            }
            self.best.push(position);
            self.heights.insert(blocks[position].hash, self.best.len());
        }
        fork
    }

    fn converse(mut self, stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        let mut out = stream.try_clone()?;
        let mut stream = BufReader::new(stream);
        loop {
            let (command, payload) = wire::read(&mut stream)?;
            let mut answer = Vec::new();
            match command.as_str() {
                "version" => answer = [wire::version(), wire::message("verack", &[])].concat(),
                "ping" => answer = wire::message("pong", &payload),
                "getheaders" => {
                    let asked: GetHeadersMessage = deserialize(&payload)?;
                    let known = asked.locator_hashes.iter().find_map(|hash| self.heights.get(hash)).copied();
                    answer = self.headers(known.unwrap_or(0));
                }
                "getdata" => {
                    let asked: Vec<Inventory> = deserialize(&payload)?;
                    for item in asked {
                        if let Inventory::Block(hash) | Inventory::WitnessBlock(hash) = item {
                            self.block(hash, &mut answer);
                        }
                    }
                }
                _ => {}
            }
            out.write_all(&answer)?;
        }
    }

    /// The headers above a height of the best chain.
    fn headers(&self, above: usize) -> Vec<u8> {
        let blocks = self.best.iter().skip(above).take(MAX_HEADERS);
        let mut payload = bitcoin::consensus::serialize(&VarInt(blocks.len() as u64));
        for position in blocks {
            payload.extend(bitcoin::consensus::serialize(&self.chain.blocks[*position].header));
            payload.push(0);
        }
        wire::message("headers", &payload)
    }

    /// A block, and after the last one of a branch the announcement of what beats it.
    fn block(&mut self, hash: BlockHash, answer: &mut Vec<u8>) {
        let Some(position) = self.chain.positions.get(&hash).copied() else { return };
        answer.extend(&self.chain.blocks[position].message);
        if self.best.last() == Some(&position) && position + 1 < self.chain.blocks.len() {
            let fork = self.advance(position + 1);
            answer.extend(self.headers(fork));
        }
    }
}
