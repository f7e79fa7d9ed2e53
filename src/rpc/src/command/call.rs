//! The checked parameters of one call, read by argument name.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::str::FromStr;

use bitcoin::Amount;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Arg, Request};
use crate::{RpcError, RpcResult, json};

static NULL: Value = Value::Null;

/// One call of a command: the request and its parameters, positional, of the right count and types.
///
/// Typed accessors answer with the table's default where the caller left an argument out. Reading an argument the
/// command does not have is an error of the program and is answered as one, not a panic.
#[derive(Debug)]
pub struct Call<'a> {
    /// The request.
    pub request: &'a Request,
    args: &'static [Arg],
    given: Cow<'a, [Value]>,
    /// Made when the first is asked for.
    defaults: OnceCell<Vec<Value>>,
    out: RefCell<&'a mut Vec<u8>>,
    /// Length of what was in `out` before.
    begin: usize,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        request: &'a Request,
        args: &'static [Arg],
        given: Cow<'a, [Value]>,
        out: &'a mut Vec<u8>,
    ) -> Self {
        let begin = out.len();
        Call { request, args, given, defaults: OnceCell::new(), out: RefCell::new(out), begin }
    }

    /// Answers with something that is written to text at once: for results so large that a [`Value`] of them, which
    /// is put together, written and taken apart again, would cost several times as much. What this returns is to be
    /// returned by the command.
    pub fn write(&self, result: &impl Serialize) -> RpcResult {
        self.write_with(|out| serde_json::to_writer(out, result).map_err(RpcError::internal))
    }

    /// The same for JSON text that `write` adds to what is there.
    pub fn write_with(&self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), RpcError>) -> RpcResult {
        let mut out = self.out.borrow_mut();
        // Who answers twice has the last answer sent.
        out.truncate(self.begin);
        write(&mut out)?;
        Ok(Value::Null)
    }

    /// Says whether anything was written.
    pub(super) fn has_written(&self) -> bool {
        self.out.borrow().len() > self.begin
    }

    /// Returns the number of parameters given, nulls included.
    pub fn given(&self) -> usize {
        self.given.len()
    }

    /// Returns the parameters as given.
    pub fn params(&self) -> &[Value] {
        &self.given
    }

    /// Returns the parameter as given; null if it was left out, whatever the table's default.
    pub fn value(&self, name: &str) -> &Value {
        let at = self.args.iter().position(|arg| arg.is_named(name));
        debug_assert!(at.is_some(), "command {} has no argument {name}", self.request.method);
        at.and_then(|at| self.given.get(at)).unwrap_or(&NULL)
    }

    /// Says whether the parameter was given and is not null.
    pub fn has(&self, name: &str) -> bool {
        !self.value(name).is_null()
    }

    /// Returns the parameter, or its default; `None` if there is neither.
    pub fn opt(&self, name: &str) -> Result<Option<&Value>, RpcError> {
        let at = self.args.iter().position(|arg| arg.is_named(name)).ok_or_else(|| {
            RpcError::misc(format!("Internal bug detected: {} has no argument {name}", self.request.method))
        })?;
        let given = self.given.get(at).filter(|value| !value.is_null());
        let default = || {
            let defaults = self.defaults.get_or_init(|| self.args.iter().map(Arg::default_value).collect());
            defaults.get(at)
        };
        Ok(given.or_else(default).filter(|value| !value.is_null()))
    }

    fn required(&self, name: &str) -> Result<&Value, RpcError> {
        Ok(self.opt(name)?.unwrap_or(&NULL))
    }

    /// Reads a string.
    pub fn str(&self, name: &str) -> Result<&str, RpcError> {
        json::as_str(self.required(name)?)
    }

    /// Reads a string that may be missing.
    pub fn opt_str(&self, name: &str) -> Result<Option<&str>, RpcError> {
        self.opt(name)?.map(json::as_str).transpose()
    }

    /// Reads an integer of the type wanted.
    pub fn int<T: FromStr>(&self, name: &str) -> Result<T, RpcError> {
        json::as_int(self.required(name)?)
    }

    /// Reads an integer of the type wanted that may be missing.
    pub fn opt_int<T: FromStr>(&self, name: &str) -> Result<Option<T>, RpcError> {
        self.opt(name)?.map(json::as_int).transpose()
    }

    /// Reads an integer.
    pub fn i64(&self, name: &str) -> Result<i64, RpcError> {
        self.int(name)
    }

    /// Reads an integer that may be missing.
    pub fn opt_i64(&self, name: &str) -> Result<Option<i64>, RpcError> {
        self.opt_int(name)
    }

    /// Reads a floating point number that may be missing.
    pub fn opt_f64(&self, name: &str) -> Result<Option<f64>, RpcError> {
        self.opt(name)?.map(json::as_f64).transpose()
    }

    /// Reads a boolean.
    pub fn bool(&self, name: &str) -> Result<bool, RpcError> {
        json::as_bool(self.required(name)?)
    }

    /// Reads a boolean that may be missing.
    pub fn opt_bool(&self, name: &str) -> Result<Option<bool>, RpcError> {
        self.opt(name)?.map(json::as_bool).transpose()
    }

    /// Reads a boolean, with a default for tables that have none.
    pub fn bool_or(&self, name: &str, default: bool) -> Result<bool, RpcError> {
        Ok(self.opt_bool(name)?.unwrap_or(default))
    }

    /// Reads an amount in BTC.
    pub fn amount(&self, name: &str) -> Result<Amount, RpcError> {
        json::parse_amount(self.required(name)?)
    }

    /// Reads an amount in BTC that may be missing.
    pub fn opt_amount(&self, name: &str) -> Result<Option<Amount>, RpcError> {
        self.opt(name)?.map(json::parse_amount).transpose()
    }

    /// Reads a 256-bit hash in display order.
    pub fn hash<T: FromStr>(&self, name: &str) -> Result<T, RpcError> {
        json::parse_hash(self.required(name)?, name)
    }

    /// Reads a 256-bit hash in display order that may be missing.
    pub fn opt_hash<T: FromStr>(&self, name: &str) -> Result<Option<T>, RpcError> {
        self.opt(name)?.map(|value| json::parse_hash(value, name)).transpose()
    }

    /// Reads bytes in hexadecimal.
    pub fn hex(&self, name: &str) -> Result<Vec<u8>, RpcError> {
        json::parse_hex(self.required(name)?, name)
    }

    /// Reads an array.
    pub fn array(&self, name: &str) -> Result<&Vec<Value>, RpcError> {
        json::as_array(self.required(name)?)
    }

    /// Reads an array that may be missing.
    pub fn opt_array(&self, name: &str) -> Result<Option<&Vec<Value>>, RpcError> {
        self.opt(name)?.map(json::as_array).transpose()
    }

    /// Reads an object.
    pub fn object(&self, name: &str) -> Result<&Map<String, Value>, RpcError> {
        json::as_object(self.required(name)?)
    }

    /// Reads a member of an options object; null if object or member was left out.
    pub fn option(&self, object: &str, member: &str) -> &Value {
        self.value(object).get(member).unwrap_or(&NULL)
    }

    /// Reads a verbosity: a number, or a boolean where `allow_bool`.
    pub fn verbosity(&self, name: &str, default: i64, allow_bool: bool) -> Result<i64, RpcError> {
        match self.value(name) {
            Value::Null => Ok(default),
            Value::Bool(_) if !allow_bool => {
                Err(RpcError::type_error("Verbosity was boolean but only integer allowed"))
            }
            Value::Bool(verbose) => Ok(i64::from(*verbose)),
            other => json::as_int::<i32>(other).map(i64::from),
        }
    }
}
