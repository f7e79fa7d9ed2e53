//! Making blocks: the template for the next one, and on test chains the work to complete it.
//!
//! The engine picks and orders the transactions and knows time, version and difficulty; coinbase, commitments and proof
//! of work are made here. A template on top of a tip that has changed is refused by validation, never by luck.

pub mod grind;
pub mod options;
pub mod template;

pub use grind::{Ground, grind};
pub use options::{MiningOptions, MiningOptionsError};
pub use template::{LastBlock, NewBlock, TemplateError, last_block, new_block, regenerate_commitments};
