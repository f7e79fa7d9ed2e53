//! What can go wrong between the node and the engine. A refusal (an invalid block, a rejected transaction) is not
//! here: it is a value of the call that asked.

use std::path::PathBuf;

use bitcoin::BlockHash;

use crate::ffi::OpStatus;

/// A call that could not be answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// [`Kernel::shutdown`](crate::Kernel::shutdown) was called.
    #[error("the engine is shut down")]
    Closed,
    /// The chain has no block yet: the genesis block is connected by `import_blocks`.
    #[error("the chain is not loaded yet")]
    NoTip,
    /// No block index entry has this hash.
    #[error("block not found: {0}")]
    BlockNotFound(BlockHash),
    /// Only the header of the block is known.
    #[error("block not available (not fully downloaded): {0}")]
    BlockNotDownloaded(BlockHash),
    /// The block was deleted by pruning.
    #[error("block not available (pruned data): {0}")]
    BlockPruned(BlockHash),
    /// The block or its undo data is not where the index says, or damaged.
    #[error("cannot read block {0} from disk: {1}")]
    BlockUnreadable(BlockHash, String),
    /// The bytes are no block, header or transaction.
    #[error("cannot decode: {0}")]
    Decode(String),
    /// The engine could not carry the operation out; the text is its own.
    #[error("{0}")]
    Validation(String),
    /// [`Interrupt::interrupt`](crate::Interrupt::interrupt) stopped the operation.
    #[error("interrupted")]
    Interrupted,
    /// The call waits for events and was made from an event handler, which would wait for itself.
    #[error("not callable from an event handler")]
    EventThread,
    /// An exception of the engine's that has no type of its own here.
    #[error("internal error in the engine: {0}")]
    Engine(String),
}

/// Why a data directory could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// An option has a value the engine refuses.
    #[error("{0}")]
    Options(String),
    /// The block or coins database is damaged; a reindex rebuilds it. The text is Core's, without the advice.
    #[error("{0}")]
    Corrupted(String),
    /// The databases belong to another chain or to an unsupported version; a reindex of everything may be needed.
    #[error("{0}")]
    Incompatible(String),
    /// The cache is too small for the requested verification.
    #[error("{0}")]
    InsufficientCache(String),
    /// A fault that a reindex does not mend.
    #[error("{0}")]
    Fatal(String),
    /// A directory could not be made.
    #[error("cannot create directory {path}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// [`Interrupt::interrupt`](crate::Interrupt::interrupt) was called.
    #[error("interrupted")]
    Interrupted,
    /// An exception of the engine's that has no type of its own here.
    #[error("internal error in the engine: {0}")]
    Engine(String),
}

impl LoadError {
    /// Says whether rebuilding the databases may help.
    pub fn reindex_may_help(&self) -> bool {
        matches!(self, LoadError::Corrupted(_))
    }
}

impl From<cxx::Exception> for Error {
    fn from(exception: cxx::Exception) -> Error {
        Error::Engine(exception.what().to_owned())
    }
}

impl From<cxx::Exception> for LoadError {
    fn from(exception: cxx::Exception) -> LoadError {
        LoadError::Engine(exception.what().to_owned())
    }
}

/// Turns what an operation on a block came to into a result.
pub(crate) fn op_error(status: OpStatus, hash: &BlockHash, message: String) -> Result<(), Error> {
    Err(match status {
        OpStatus::Success => return Ok(()),
        OpStatus::NotFound => Error::BlockNotFound(*hash),
        OpStatus::NotDownloaded => Error::BlockNotDownloaded(*hash),
        OpStatus::Pruned => Error::BlockPruned(*hash),
        OpStatus::Unreadable => Error::BlockUnreadable(*hash, message),
        OpStatus::Undecodable => Error::Decode(message),
        _ => Error::Validation(message),
    })
}
