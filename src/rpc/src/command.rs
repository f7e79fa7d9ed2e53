//! RPC commands as data: one [`Command`] entry gives name, arguments, types, defaults, help and code.
//!
//! A crate that serves commands writes `static` arrays of them and joins those with their context in a [`Table`],
//! which is a [`CommandSet`]. The server sees command sets only, so it cannot tell a local command from one served by
//! another process.
//!
//! **Invariant:** a command's function runs only with parameters whose count and types its entry allows.

mod arg;
mod call;
mod help;
mod named;
mod request;
mod result;
mod table;

pub use arg::{Arg, ArgType, Default};
pub use call::Call;
pub use help::{example_cli, example_cli_named, example_rpc};
pub use request::Request;
pub use result::{Res, ResType};
pub use table::{Command, CommandSet, Started, Table};
