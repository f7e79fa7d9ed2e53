//! How values look in the trace: short, on one line, and never a secret.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::{self, Write};

use bitcoin::block::Header;
use bitcoin::hex::DisplayHex;
use bitcoin::{
    Amount, Block, BlockHash, FeeRate, OutPoint, ScriptBuf, SignedAmount, Transaction, TxMerkleNode, TxOut, Txid, Wtxid,
};
use multiprocess::Short;

/// Prints a value for the trace.
pub(crate) trait Show {
    /// Writes the value; an error means the line is full.
    fn show(&self, text: &mut Short) -> fmt::Result;
}

macro_rules! show_display {
    ($($name:ty),*) => {$(
        impl Show for $name {
            fn show(&self, text: &mut Short) -> fmt::Result {
                write!(text, "{self}")
            }
        }
    )*};
}

show_display!(
    bool,
    u8,
    u16,
    u32,
    u64,
    i8,
    i16,
    i32,
    i64,
    f32,
    f64,
    Txid,
    Wtxid,
    BlockHash,
    TxMerkleNode,
    OutPoint,
    Amount,
    SignedAmount,
    FeeRate
);

impl Show for () {
    fn show(&self, text: &mut Short) -> fmt::Result {
        text.write_str("ok")
    }
}

impl Show for String {
    fn show(&self, text: &mut Short) -> fmt::Result {
        write!(text, "{self:?}")
    }
}

impl Show for Transaction {
    fn show(&self, text: &mut Short) -> fmt::Result {
        write!(text, "{}", self.compute_txid())
    }
}

impl Show for Block {
    fn show(&self, text: &mut Short) -> fmt::Result {
        write!(text, "{} ({} transactions)", self.block_hash(), self.txdata.len())
    }
}

impl Show for Header {
    fn show(&self, text: &mut Short) -> fmt::Result {
        write!(text, "{}", self.block_hash())
    }
}

impl Show for ScriptBuf {
    fn show(&self, text: &mut Short) -> fmt::Result {
        write!(text, "{:x}", self.as_bytes().as_hex())
    }
}

impl Show for bytes::Bytes {
    fn show(&self, text: &mut Short) -> fmt::Result {
        write!(text, "{:x}", self.as_hex())
    }
}

impl Show for TxOut {
    fn show(&self, text: &mut Short) -> fmt::Result {
        write!(text, "{} to ", self.value)?;
        self.script_pubkey.show(text)
    }
}

impl<T: Show> Show for Option<T> {
    fn show(&self, text: &mut Short) -> fmt::Result {
        match self {
            Some(value) => value.show(text),
            None => text.write_str("none"),
        }
    }
}

impl<T: Show> Show for Vec<T> {
    fn show(&self, text: &mut Short) -> fmt::Result {
        show_all(text, self.iter())
    }
}

/// Prints values between brackets.
fn show_all(text: &mut Short, values: impl Iterator<Item = impl Show>) -> fmt::Result {
    text.write_str("[")?;
    for (index, value) in values.enumerate() {
        if index > 0 {
            text.write_str(", ")?;
        }
        value.show(text)?;
    }
    text.write_str("]")
}

impl<T: Show> Show for BTreeSet<T> {
    fn show(&self, text: &mut Short) -> fmt::Result {
        show_all(text, self.iter())
    }
}

impl<T: Show> Show for HashSet<T> {
    fn show(&self, text: &mut Short) -> fmt::Result {
        show_all(text, self.iter())
    }
}

impl<K: Show, V: Show> Show for BTreeMap<K, V> {
    fn show(&self, text: &mut Short) -> fmt::Result {
        show_all(text, self.iter())
    }
}

impl<K: Show, V: Show> Show for HashMap<K, V> {
    fn show(&self, text: &mut Short) -> fmt::Result {
        show_all(text, self.iter())
    }
}

macro_rules! show_tuple {
    ($($name:ident)*) => {
        impl<$($name: Show),*> Show for ($($name,)*) {
            #[allow(non_snake_case, reason = "the types' names")]
            fn show(&self, text: &mut Short) -> fmt::Result {
                let ($($name,)*) = self;
                let mut before = "(";
                $(text.write_str(std::mem::replace(&mut before, ", "))?; $name.show(text)?;)*
                text.write_str(")")
            }
        }
    };
}

show_tuple!(A);
show_tuple!(A B);
show_tuple!(A B C);
show_tuple!(A B C D);
show_tuple!(A B C D E);
show_tuple!(A B C D E F);

impl<T: Show, E: Show> Show for Result<T, E> {
    fn show(&self, text: &mut Short) -> fmt::Result {
        match self {
            Ok(value) => value.show(text),
            Err(error) => {
                text.write_str("refused: ")?;
                error.show(text)
            }
        }
    }
}

impl<T: Show + ?Sized> Show for &T {
    fn show(&self, text: &mut Short) -> fmt::Result {
        (**self).show(text)
    }
}
