//! `getipcinfo`: calls between this process and others. Bitcoin Core has no such command; it is not in the list of `help`.

use std::sync::Arc;

use interfaces::{IpcInfo, IpcMethod, IpcObjects, IpcSide};
use serde_json::json;

use crate::command::{example_cli, example_rpc};
use crate::{Command, CommandSet, Res, Table};

/// Tells what was counted.
pub type Counted = Box<dyn Fn() -> IpcInfo + Send + Sync>;

/// What the command works on.
struct Source(Option<Counted>);

/// Makes the command. A program that talks to no other process has nothing counted.
pub fn commands(counted: Option<Counted>) -> Arc<dyn CommandSet> {
    Arc::new(Table::new(Arc::new(Source(counted)), &[COMMANDS]))
}

static COMMANDS: &[Command<Source>] = &[Command {
    name: "getipcinfo",
    category: "hidden",
    args: &[],
    description: "Returns the calls between this process and others since it started, by method, and the objects that \
                  each side holds of the other.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::arr(
                "methods",
                "Methods that were called; empty in a program that talks to no other process",
                &[Res::obj(
                    "",
                    "One method",
                    &[
                        Res::str("method", "Interface and name"),
                        Res::str("side", "\"client\" if this process calls, \"server\" if it is called"),
                        Res::num("calls", "Calls that have ended"),
                        Res::num("errors", "Those that ended with an error"),
                        Res::num("bytes_sent", "Bytes of parameters and results sent"),
                        Res::num("bytes_received", "Bytes received"),
                        Res::num("mean", "Microseconds that a call took in the mean"),
                        Res::num("median", "Microseconds that half of the calls did not take, up to a fifth too high"),
                        Res::num("p99", "The same of 99 in 100 calls"),
                        Res::num("max", "Microseconds that the longest call took"),
                    ],
                )],
            ),
            Res::arr(
                "objects",
                "Objects that are held",
                &[Res::obj(
                    "",
                    "Those of one interface",
                    &[
                        Res::str("interface", "Its name"),
                        Res::str("side", "\"client\" if this process holds them, \"server\" if another does"),
                        Res::num("live", "How many there are"),
                    ],
                )],
            ),
        ],
    )],
    examples: &[example_cli!("getipcinfo", ""), example_rpc!("getipcinfo", "")],
    run: |Source(counted), _| {
        let IpcInfo { methods, objects } = counted.as_ref().map(|counted| counted()).unwrap_or_default();
        let methods: Vec<_> = methods.into_iter().map(method).collect();
        let objects: Vec<_> = objects
            .into_iter()
            .map(|IpcObjects { interface, side, live }| {
                json!({"interface": interface, "side": name(side), "live": live})
            })
            .collect();
        Ok(json!({"methods": methods, "objects": objects}))
    },
}];

fn name(side: IpcSide) -> &'static str {
    match side {
        IpcSide::Client => "client",
        IpcSide::Server => "server",
    }
}

fn method(method: IpcMethod) -> serde_json::Value {
    let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let IpcMethod { method, side, calls, errors, sent, received, total, longest, median, p99 } = method;
    json!({
        "method": method,
        "side": name(side),
        "calls": calls,
        "errors": errors,
        "bytes_sent": sent,
        "bytes_received": received,
        "mean": micros(total) / calls.max(1),
        "median": micros(median),
        "p99": micros(p99),
        "max": micros(longest),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use crate::{Registry, Request};

    fn ask(counted: Option<Counted>) -> Value {
        let registry = Registry::new();
        registry.add(commands(counted));
        registry.finish_warmup();
        registry.execute(&Request::new("getipcinfo", vec![])).expect("it cannot fail")
    }

    #[test]
    fn what_was_counted() {
        assert_eq!(ask(None), json!({"methods": [], "objects": []}));
        let time = Duration::from_micros;
        let info = IpcInfo {
            methods: vec![IpcMethod {
                method: "Echo.echo".to_owned(),
                side: IpcSide::Server,
                calls: 2,
                errors: 1,
                sent: 3,
                received: 4,
                total: time(30),
                longest: time(20),
                median: time(10),
                p99: time(20),
            }],
            objects: vec![IpcObjects { interface: "Echo".to_owned(), side: IpcSide::Client, live: 5 }],
        };
        let answer = ask(Some(Box::new(move || info.clone())));
        assert_eq!(
            answer,
            json!({
                "methods": [{
                    "method": "Echo.echo", "side": "server", "calls": 2, "errors": 1, "bytes_sent": 3,
                    "bytes_received": 4, "mean": 15, "median": 10, "p99": 20, "max": 20,
                }],
                "objects": [{"interface": "Echo", "side": "client", "live": 5}],
            })
        );
    }
}
