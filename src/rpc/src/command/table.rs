//! Commands joined with their context: checks parameters by the table, then runs the function.

use std::borrow::Cow;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{Arg, ArgType, Call, Request, Res, help, named};
use crate::{RpcError, RpcResult};

/// One RPC command. `C` is the context its function works on.
#[derive(Clone, Copy)]
pub struct Command<C: 'static> {
    /// Name, as in the `method` member.
    pub name: &'static str,
    /// Section of the `help` listing, in lower case; `hidden` commands are not listed.
    pub category: &'static str,
    /// Arguments in order.
    pub args: &'static [Arg],
    /// What it does; may have several lines.
    pub description: &'static str,
    /// What it returns, one entry per form.
    pub result: &'static [Res],
    /// Example calls; see [`super::example_cli`] and [`super::example_rpc`].
    pub examples: &'static [&'static str],
    /// Does it.
    pub run: fn(&C, &Call<'_>) -> RpcResult,
}

impl<C> Command<C> {
    /// Returns the help text.
    pub fn help(&self) -> String {
        help::text(self.name, self.args, self.description, self.result, self.examples)
    }

    /// Checks the parameters and runs the command.
    pub fn execute(&self, context: &C, request: &Request, check_result: bool) -> RpcResult {
        let mut out = Vec::new();
        self.checked(context, request, check_result, &mut out)?;
        serde_json::from_slice(&out).map_err(RpcError::internal)
    }

    /// Adds the result to the end of `out`.
    fn checked(&self, context: &C, request: &Request, check_result: bool, out: &mut Vec<u8>) -> Result<(), RpcError> {
        let params: Cow<'_, [Value]> = match &request.params {
            Value::Object(members) => named::to_positional(members, self.args)?.into(),
            Value::Array(params) => params.into(),
            _ => Vec::new().into(),
        };
        let required = self.args.iter().rposition(|arg| !arg.is_optional()).map_or(0, |last| last + 1);
        if !(required..=self.args.len()).contains(&params.len()) {
            return Err(RpcError::misc(self.help()));
        }
        self.check_types(&params)?;
        let begin = out.len();
        let call = Call::new(request, self.args, params, out);
        let value = (self.run)(context, &call)?;
        if !call.has_written() {
            serde_json::to_writer(&mut *out, &value).map_err(RpcError::internal)?;
        }
        if check_result {
            let result = out.get(begin..).unwrap_or_default();
            self.check_result(&serde_json::from_slice(result).map_err(RpcError::internal)?)?;
        }
        Ok(())
    }

    fn check_types(&self, params: &[Value]) -> Result<(), RpcError> {
        let mut mismatches = Map::new();
        for (at, arg) in self.args.iter().enumerate() {
            if let Some(mismatch) = arg.type_mismatch(params.get(at).unwrap_or(&Value::Null)) {
                mismatches.insert(format!("Position {} ({})", at + 1, arg.names), mismatch.into());
            }
        }
        if mismatches.is_empty() {
            return Ok(());
        }
        Err(RpcError::type_error(format!("Wrong type passed:\n{}", crate::json::pretty(&Value::Object(mismatches)))))
    }

    fn check_result(&self, result: &Value) -> Result<(), RpcError> {
        let mut mismatches = Vec::new();
        for described in self.result {
            match described.mismatch(result) {
                Some(mismatch) => mismatches.push(mismatch),
                None => return Ok(()),
            }
        }
        let explanation = match mismatches.as_slice() {
            [] => "no possible results defined".to_owned(),
            [one] => crate::json::pretty(one),
            _ => crate::json::pretty(&Value::Array(mismatches)),
        };
        Err(RpcError::misc(format!(
            "Internal bug detected: RPC call \"{}\" returned incorrect type:\n{explanation}",
            self.name
        )))
    }
}

/// Commands that can be listed, explained and run, wherever their code is.
///
/// Implemented by [`Table`] and, for the wallet process, by [`crate::remote::WalletCommands`]; called by the server
/// from its worker threads.
pub trait CommandSet: Send + Sync {
    /// Lists the commands.
    fn commands(&self) -> Vec<interfaces::RpcCommand>;

    /// Returns the help text of one command; `None` if it is not in the set.
    fn help(&self, name: &str) -> Option<String>;

    /// Runs a command. One that is not in the set is "method not found".
    fn execute(&self, request: &Request) -> RpcResult;

    /// The same with the result as JSON text at the end of `out`, for who only passes it on. A command that fails may
    /// leave a part of one there.
    fn answer(&self, request: &Request, out: &mut Vec<u8>) -> Result<(), RpcError> {
        let result = self.execute(request)?;
        serde_json::to_writer(out, &result).map_err(RpcError::internal)
    }

    /// Calls `run` if this command takes next to no time, and has nobody to wait for until `run` returns.
    fn at_once(&self, _method: &str, _run: &mut dyn FnMut()) {}

    /// Says whether the commands are carried out by another process, which may keep a thread that waits for it for long.
    fn runs_elsewhere(&self) -> bool {
        false
    }

    /// Has a command run elsewhere, without keeping this thread; the result is JSON text. `None` if it is to be run
    /// with [`Self::execute`].
    fn start(&self, _request: &Request) -> Option<Started> {
        None
    }

    /// Returns `[command, position, argument, is a string]` for each argument, as
    /// `help dump_all_command_conversions` prints them.
    fn conversions(&self) -> Vec<Value> {
        Vec::new()
    }
}

/// The result of a command that runs elsewhere.
pub type Started = Pin<Box<dyn Future<Output = Result<Box<RawValue>, RpcError>> + Send>>;

/// Commands joined with their context.
pub struct Table<C: 'static> {
    context: Arc<C>,
    commands: Vec<&'static Command<C>>,
    by_name: HashMap<&'static str, usize>,
    check_results: bool,
    at_once: AtOnce<C>,
}

/// Commands that take next to no time, and what calls a function while they would wait for nobody, if that can be had.
struct AtOnce<C> {
    names: &'static [&'static str],
    rest: fn(&C, &mut dyn FnMut()),
}

impl<C: Send + Sync> Table<C> {
    /// Joins groups of commands with the context they work on. Of two commands with one name the first is kept.
    pub fn new(context: Arc<C>, groups: &[&'static [Command<C>]]) -> Self {
        let at_once = AtOnce { names: &[], rest: |_, _| {} };
        let mut table = Table { context, commands: Vec::new(), by_name: HashMap::new(), check_results: false, at_once };
        for command in groups.iter().flat_map(|group| group.iter()) {
            let at = table.commands.len();
            if let std::collections::hash_map::Entry::Vacant(entry) = table.by_name.entry(command.name) {
                entry.insert(at);
                table.commands.push(command);
            }
        }
        table
    }

    /// Compares each result with its description (`-rpcdoccheck`); a difference becomes an error.
    pub fn check_results(mut self, check: bool) -> Self {
        self.check_results = check;
        self
    }

    /// Lets the server's network thread run these commands itself. Each takes so little time that handing it to another
    /// thread would take longer, and none waits inside `rest`, which calls the function it gets or, where somebody might
    /// have to be waited for, returns.
    pub fn at_once(mut self, names: &'static [&'static str], rest: fn(&C, &mut dyn FnMut())) -> Self {
        self.at_once = AtOnce { names, rest };
        self
    }

    fn find(&self, name: &str) -> Option<&'static Command<C>> {
        self.by_name.get(name).and_then(|&at| self.commands.get(at)).copied()
    }
}

impl<C: Send + Sync> CommandSet for Table<C> {
    fn commands(&self) -> Vec<interfaces::RpcCommand> {
        self.commands
            .iter()
            .map(|command| interfaces::RpcCommand {
                name: command.name.to_owned(),
                category: command.category.to_owned(),
                hidden: command.category == "hidden",
                args: command.args.iter().map(|arg| arg.names.to_owned()).collect(),
            })
            .collect()
    }

    fn help(&self, name: &str) -> Option<String> {
        self.find(name).map(Command::help)
    }

    fn execute(&self, request: &Request) -> RpcResult {
        let command = self.find(&request.method).ok_or_else(RpcError::method_not_found)?;
        command.execute(&self.context, request, self.check_results)
    }

    fn answer(&self, request: &Request, out: &mut Vec<u8>) -> Result<(), RpcError> {
        let command = self.find(&request.method).ok_or_else(RpcError::method_not_found)?;
        command.checked(&self.context, request, self.check_results, out)
    }

    fn at_once(&self, method: &str, run: &mut dyn FnMut()) {
        if self.at_once.names.contains(&method) {
            (self.at_once.rest)(&self.context, run);
        }
    }

    fn conversions(&self) -> Vec<Value> {
        let mut rows = Vec::new();
        for command in &self.commands {
            for (at, arg) in command.args.iter().enumerate() {
                let mut push = |arg: &Arg| {
                    let is_string = matches!(arg.kind, ArgType::Str | ArgType::StrHex);
                    rows.extend(arg.names.split('|').map(|name| json!([command.name, at, name, is_string])));
                };
                push(arg);
                if arg.kind == ArgType::ObjNamed {
                    arg.inner.iter().for_each(push);
                }
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Default;

    const ADD: Command<i64> = Command {
        name: "add",
        category: "test",
        args: &[
            Arg::required("number|n", ArgType::Num, "What to add."),
            Arg::or("times", ArgType::Num, "1", "How often."),
            Arg::new("note", ArgType::Str, Default::Hint("none"), "A note."),
        ],
        description: "Adds.",
        result: &[Res::num("", "The sum")],
        examples: &[],
        run: |base, call| Ok(json!(base + call.i64("number")? * call.i64("times")?)),
    };
    static COMMANDS: &[Command<i64>] = &[ADD];

    fn check(params: Value, expected: Result<Value, (i32, &str)>) {
        let table = Table::new(Arc::new(100), &[COMMANDS]).check_results(true);
        let request = Request { params, ..Request::new("add", vec![]) };
        let got = table.execute(&request).map_err(|error| (error.code, error.message));
        assert_eq!(got, expected.map_err(|(code, message)| (code, message.to_owned())));
    }

    #[test]
    fn parameters_by_position_and_name() {
        check(json!([5]), Ok(json!(105)));
        check(json!([5, 2]), Ok(json!(110)));
        check(json!([5, null, null]), Ok(json!(105)));
        check(json!({"n": 7}), Ok(json!(107)));
        check(json!({"times": 3, "args": [1]}), Ok(json!(103)));
        check(json!({"x": 3}), Err((-8, "Unknown named parameter x")));
    }

    #[test]
    fn wrong_count_is_answered_with_help() {
        let help = ADD.help();
        check(json!([]), Err((-1, &help)));
        check(json!([1, 2, "", 4]), Err((-1, &help)));
        check(Value::Null, Err((-1, &help)));
    }

    #[test]
    fn wrong_types_are_named() {
        let one = "Wrong type passed:\n{\n    \"Position 1 (number|n)\": \"JSON value of type string is not of \
                   expected type number\"\n}";
        check(json!(["1"]), Err((-3, one)));
        check(
            json!([null, true]),
            Err((
                -3,
                "Wrong type passed:\n{\n    \"Position 1 (number|n)\": \"JSON value of type null is not of expected \
                 type number\",\n    \"Position 2 (times)\": \"JSON value of type bool is not of expected type \
                 number\"\n}",
            )),
        );
        check(json!([1.5]), Err((-1, "JSON integer out of range")));
    }

    #[test]
    fn a_result_unlike_its_description_is_an_error() {
        static WRONG: &[Command<()>] = &[Command {
            name: "wrong",
            category: "hidden",
            args: &[],
            description: "",
            result: &[Res::bool("", "")],
            examples: &[],
            run: |(), _| Ok(json!(1)),
        }];
        let table = Table::new(Arc::new(()), &[WRONG]);
        assert!(table.execute(&Request::new("wrong", vec![])).is_ok());
        let error = table.check_results(true).execute(&Request::new("wrong", vec![])).expect_err("a mismatch");
        assert_eq!(
            error.message,
            "Internal bug detected: RPC call \"wrong\" returned incorrect type:\n\"returned type is number, but \
             declared as bool in doc\""
        );
    }
}
