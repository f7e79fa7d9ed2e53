//! A conversation with a peer that says whatever a fuzzer makes up. Driven by `fuzz/fuzz_targets/p2p.rs` and, on stable
//! and within bounds, by this crate's tests; no program uses it.
//!
//! A script is a byte that says how the connection begins, then messages: a byte for the name, two for the length, the
//! payload. Instead of messages there may be bytes without a frame, and time that passes. What is said goes through the transport, the handlers and the engine, as if a socket had brought it.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::opcodes::OP_TRUE;
use bitcoin::script::Builder;
use bitcoin::{Amount, Block, BlockHash, OutPoint, Target, Transaction, TxIn, TxMerkleNode, TxOut};
use kernel::Kernel;

use crate::config::{Config, Limits, NODE_NETWORK, NODE_NETWORK_LIMITED, NODE_WITNESS};
use crate::connect::Connector;
use crate::link::{ConnectionKind, Link, LinkInfo};
use crate::manager::Manager;
use crate::message_type;
use crate::permissions::{Permissions, Whitelist};
use crate::socket::Waker;
use crate::transport::v1;
use crate::{PROTOCOL_VERSION, PeerId, time, wire};

/// Names a script can use, by their number; what is beyond stands for a name that nobody knows.
pub const MESSAGES: &[&str] = message_type::ALL;
/// Instead of a name: the bytes are not put into a frame.
pub const RAW: u8 = 254;
/// Instead of a name: so many seconds pass.
pub const WAIT: u8 = 255;
/// First byte of a script: the handshake is done, and the peer made the connection.
pub const GREETED: u8 = 4;

/// Blocks of the chain there is.
const BLOCKS: u32 = 110;
/// When the first of them was made.
const GENESIS_TIME: u32 = 1_296_688_602;
/// When conversations begin: with the chain up to date.
const NOW: i64 = GENESIS_TIME as i64 + BLOCKS as i64 + 60;
/// Turns one message is given at most.
const MAX_TURNS: usize = 1000;

/// A node without sockets of its own, and one connection at a time.
pub struct Conversation {
    manager: Manager,
    connector: Arc<Connector>,
    /// The two ends of the connection; all conversations have the same.
    ours: TcpStream,
    theirs: TcpStream,
}

impl Conversation {
    /// Makes a chain for an engine that has none, the same each time, and waits for conversations.
    ///
    /// Sets the clock. The engine must be one of regtest that takes a tip of any age for a recent one.
    ///
    /// # Panics
    ///
    /// Where the system has no socket or the engine refuses the chain: then there is nothing to fuzz.
    pub fn new(kernel: Kernel) -> Conversation {
        for block in chain() {
            let bytes = bitcoin::consensus::serialize(&block);
            assert!(kernel.submit_block(&bytes).expect("the engine runs").accepted, "the chain is valid");
        }
        common::clock::set_mock_time(Some(NOW));
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let theirs = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
        let (ours, _) = listener.accept().expect("there is a connection");
        theirs.set_nonblocking(true).expect("sockets can be");
        let (waker, _) = Waker::new().expect("there are sockets");
        let magic = kernel.message_start().expect("the engine runs");
        let connector = Arc::new(Connector::new(config(), waker, magic));
        let manager = Manager::new(connector.clone(), kernel).expect("the engine runs");
        Conversation { manager, connector, ours, theirs }
    }

    /// Plays a script.
    ///
    /// # Panics
    ///
    /// When it found an error.
    pub fn play(&mut self, script: &[u8]) {
        common::clock::set_mock_time(Some(NOW));
        let Some((&how, mut script)) = script.split_first() else { return };
        let link = self.connect(how);
        if how & GREETED != 0 {
            self.say(&link, "version", &version());
            for name in ["wtxidrelay", "sendaddrv2", "verack"] {
                self.say(&link, name, &[]);
            }
        }
        while let [number, low, high, rest @ ..] = script {
            let size = u16::from_le_bytes([*low, *high]);
            let length = if *number == WAIT { 0 } else { usize::from(size).min(rest.len()) };
            let (payload, rest) = rest.split_at(length);
            match *number {
                RAW => self.hear(&link, payload),
                WAIT => common::clock::set_mock_time(Some(common::clock::now() + i64::from(size))),
                number => {
                    let name = MESSAGES.get(usize::from(number)).copied().unwrap_or("unheard-of");
                    self.say(&link, name, payload);
                }
            }
            script = rest;
        }
        self.connector.links.remove(link.info.id);
        self.manager.take_work();
        assert!(self.manager.is_forgetful(), "what concerned the peer is forgotten");
    }

    /// Lets the peer say one message to a node it has greeted, as large as it may be.
    pub fn greet_and_say(&mut self, name: &'static str, payload: &[u8]) {
        let link = self.connect(GREETED);
        self.say(&link, "version", &version());
        self.say(&link, "verack", &[]);
        self.say(&link, name, payload);
        self.connector.links.remove(link.info.id);
        self.manager.take_work();
    }

    fn connect(&mut self, how: u8) -> Arc<Link> {
        let kinds =
            [ConnectionKind::Inbound, ConnectionKind::Manual, ConnectionKind::FullRelay, ConnectionKind::BlockRelay];
        let info = LinkInfo {
            id: self.connector.links.next_id(),
            // Not a local one, so that it is punished like any other.
            address: ([8, 8, 8, 8], 8333).into(),
            bind: None,
            name: "8.8.8.8:8333".to_owned(),
            kind: kinds[usize::from(how & 3)],
            permissions: if how & 8 != 0 {
                Permissions::FORCE_RELAY | Permissions::DOWNLOAD | Permissions::MEMPOOL | Permissions::ADDR
            } else {
                Permissions::NONE
            },
            nonce: 1,
            connected: time::now(),
        };
        let stream = self.ours.try_clone().expect("descriptors can be had");
        let link = Arc::new(Link::new(info, stream, &self.connector.options).expect("sockets can be set"));
        self.connector.links.add(link.clone());
        self.manager.take_work();
        self.turns(&link);
        link
    }

    fn say(&mut self, link: &Link, name: &str, payload: &[u8]) {
        self.hear(link, &v1::encode(self.connector.options.magic, name, payload));
    }

    fn hear(&mut self, link: &Link, bytes: &[u8]) {
        if !link.is_over() {
            link.take_in(bytes);
            self.turns(link);
        }
    }

    /// Lets the node handle what it was told, and takes what it says.
    fn turns(&mut self, link: &Link) {
        let id: PeerId = link.info.id;
        let mut buffer = [0; 1 << 16];
        for _ in 0..MAX_TURNS {
            let more = self.manager.turn(id);
            loop {
                link.flush();
                // Fails where nothing is left.
                let Ok(1..) = self.theirs.read(&mut buffer) else { break };
            }
            if !more {
                return;
            }
        }
    }
}

fn config() -> Config {
    Config {
        binds: Vec::new(),
        connect: Vec::new(),
        add_nodes: Vec::new(),
        limits: Limits { inbound: 1, full_relay: 1, block_relay: 1 },
        default_port: 18444,
        name_lookup: false,
        connect_timeout: Duration::from_secs(1),
        peer_timeout: Duration::from_secs(60),
        max_send: 1_000_000,
        max_receive: 5_000_000,
        upload_target: 0,
        services: NODE_NETWORK | NODE_NETWORK_LIMITED | NODE_WITNESS,
        user_agent: "/fuzz/".to_owned(),
        active: true,
        blocks_only: false,
        incoming: Whitelist::default(),
        outgoing: Whitelist::default(),
    }
}

/// A version message of a node that serves everything.
fn version() -> Vec<u8> {
    let mut bytes = wire::encoded(&PROTOCOL_VERSION);
    wire::put(&mut bytes, &(NODE_NETWORK | NODE_NETWORK_LIMITED | NODE_WITNESS));
    wire::put(&mut bytes, &NOW);
    bytes.extend([0; 2 * 26]);
    wire::put(&mut bytes, &7u64);
    wire::put(&mut bytes, &"/peer/".to_owned());
    wire::put(&mut bytes, &0i32);
    bytes.push(1);
    bytes
}

/// Makes the chain: blocks whose coins anyone can spend.
pub fn chain() -> Vec<Block> {
    let mut previous = bitcoin::constants::genesis_block(bitcoin::Network::Regtest).header;
    (1..=BLOCKS)
        .map(|height| {
            let script_sig = Builder::new().push_int(height.into()).push_int(0).into_script();
            let coinbase = Transaction {
                version: bitcoin::transaction::Version::TWO,
                lock_time: LockTime::ZERO,
                input: vec![TxIn { previous_output: OutPoint::null(), script_sig, ..TxIn::default() }],
                output: vec![TxOut {
                    value: Amount::from_int_btc(50),
                    script_pubkey: Builder::new().push_opcode(OP_TRUE).into_script().to_p2wsh(),
                }],
            };
            let block = next_block(previous.block_hash(), height, coinbase);
            previous = block.header;
            block
        })
        .collect()
}

fn next_block(previous: BlockHash, height: u32, coinbase: Transaction) -> Block {
    let mut block = Block {
        header: bitcoin::block::Header {
            version: bitcoin::block::Version::from_consensus(0x2000_0000),
            prev_blockhash: previous,
            merkle_root: TxMerkleNode::all_zeros(),
            time: GENESIS_TIME + height,
            bits: Target::MAX_ATTAINABLE_REGTEST.to_compact_lossy(),
            nonce: 0,
        },
        txdata: vec![coinbase],
    };
    block.header.merkle_root = block.compute_merkle_root().expect("there is a transaction");
    while block.header.validate_pow(block.header.target()).is_err() {
        block.header.nonce += 1;
    }
    block
}
