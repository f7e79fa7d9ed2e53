//! The generated code: a client, a server and a method table for every interface, and the conversions between them.
//!
//! See `codegen.rs` for how it comes about. Nothing here is written by hand.
#![allow(dead_code, unused_imports, unused_mut, unused_variables, clippy::all, reason = "generated")]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::{self, Write};
use std::sync::Arc;

use capnp::capability::FromClientHook;
use multiprocess::{
    Draft, Error, Exports, Imports, Incoming, Interface, Kind, Method, Object, Proxy, ServerCall, Service, Short, Who,
};

use crate::show::Show;
use crate::{convert, redact};

include!(concat!(env!("OUT_DIR"), "/glue.rs"));
