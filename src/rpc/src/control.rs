//! The commands about the server itself: `help`, `stop`, `uptime`, `getrpcinfo`, `logging`, `echo`, `echojson`.
//! They are here and not in the node because they need nothing of it.

mod echo;
mod getrpcinfo;
mod help;
mod logging;
mod stop;
mod uptime;

use std::sync::{Arc, Weak};
use std::time::Instant;

use crate::{CommandSet, Registry, Table};

/// What the commands work on.
pub struct Control {
    /// Weak, because the registry holds this.
    registry: Weak<Registry>,
    stop: Box<dyn Fn() + Send + Sync>,
    started: Instant,
}

/// Makes the commands; `stop` asks the program to shut down and returns at once.
pub fn commands(registry: &Arc<Registry>, stop: impl Fn() + Send + Sync + 'static) -> Arc<dyn CommandSet> {
    let context = Control { registry: Arc::downgrade(registry), stop: Box::new(stop), started: Instant::now() };
    let groups =
        &[help::COMMANDS, stop::COMMANDS, uptime::COMMANDS, getrpcinfo::COMMANDS, logging::COMMANDS, echo::COMMANDS];
    Arc::new(Table::new(Arc::new(context), groups).at_once(&["uptime"], |_, run| run()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use serde_json::{Value, json};

    use super::*;
    use crate::{Request, RpcResult};

    fn registry() -> (Arc<Registry>, Arc<AtomicBool>) {
        let registry = Arc::new(Registry::new());
        let stopped = Arc::new(AtomicBool::new(false));
        registry.add(commands(&registry, {
            let stopped = stopped.clone();
            move || stopped.store(true, Ordering::SeqCst)
        }));
        registry.finish_warmup();
        (registry, stopped)
    }

    fn call(registry: &Registry, method: &str, params: Value) -> RpcResult {
        registry.execute(&Request { params, ..Request::new(method, vec![]) })
    }

    #[test]
    fn help() {
        let (registry, _) = registry();
        let list = "== Control ==\ngetrpcinfo\nhelp ( \"command\" )\nlogging ( [\"include_category\",...] \
                    [\"exclude_category\",...] )\nstop\nuptime";
        assert_eq!(call(&registry, "help", json!([])), Ok(json!(list)));
        let uptime = call(&registry, "help", json!(["uptime"])).unwrap();
        assert!(uptime.as_str().unwrap().starts_with("uptime\n\nReturns"), "{uptime}");
        assert_eq!(call(&registry, "help", json!(["foo"])), Ok(json!("help: unknown command: foo")));
        assert_eq!(call(&registry, "help", json!([0])).expect_err("no string").code, -3);
        assert_eq!(call(&registry, "help", json!(["a", "b"])).expect_err("too many").code, -1);
        let rows = call(&registry, "help", json!(["dump_all_command_conversions"])).unwrap();
        assert!(rows.as_array().unwrap().contains(&json!(["stop", 0, "wait", false])), "{rows}");
    }

    #[test]
    fn stop() {
        let (registry, stopped) = registry();
        assert_eq!(call(&registry, "stop", json!([])), Ok(json!("Bitcoin Core stopping")));
        assert!(stopped.load(Ordering::SeqCst));
    }

    #[test]
    fn information() {
        let (registry, _) = registry();
        assert!(call(&registry, "uptime", json!([])).unwrap().is_u64());
        let info = call(&registry, "getrpcinfo", json!([])).unwrap();
        assert_eq!(info["active_commands"][0]["method"], json!("getrpcinfo"));
        assert!(info["active_commands"][0]["duration"].is_u64() && info["logpath"].is_string());
    }

    #[test]
    fn logging() {
        let (registry, _) = registry();
        let on = call(&registry, "logging", json!([["qt"]])).unwrap();
        assert_eq!(on["qt"], json!(true));
        let off = call(&registry, "logging", json!([["qt"], ["qt"]])).unwrap();
        assert_eq!(off["qt"], json!(false));
        let error = call(&registry, "logging", json!([["abc"]])).expect_err("no category");
        assert_eq!((error.code, error.message.as_str()), (-8, "unknown logging category abc"));
        let help = call(&registry, "help", json!(["logging"])).unwrap();
        let list = format!("The valid logging categories are: {}\n", common::logging::CATEGORIES.join(", "));
        assert!(help.as_str().unwrap().contains(&list), "{help}");
    }

    #[test]
    fn echo() {
        let (registry, _) = registry();
        assert_eq!(call(&registry, "echo", json!([1, null, {"a": []}])), Ok(json!([1, null, {"a": []}])));
        assert_eq!(call(&registry, "echojson", json!({"arg1": 2})), Ok(json!([null, 2])));
        assert_eq!(call(&registry, "echo", json!({"args": [0], "arg1": 2})), Ok(json!([0, 2])));
        let bug = call(&registry, "echo", json!({"arg9": "trigger_internal_bug"})).expect_err("a bug");
        assert!(bug.code == -1 && bug.message.starts_with("Internal bug detected"), "{bug:?}");
    }
}
