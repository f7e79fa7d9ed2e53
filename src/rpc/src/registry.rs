//! All commands of the program behind one `execute`: which set serves a method, whether commands run yet, and which
//! run now. Separate from the HTTP server because other ways in (IPC) end here too.

use std::collections::HashMap;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde_json::Value;
use serde_json::value::RawValue;

use crate::{CommandSet, Request, RpcError, RpcResult};

/// A command that runs now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveCommand {
    /// Name.
    pub method: String,
    /// Since when.
    pub duration: Duration,
}

/// The commands of the program.
pub struct Registry {
    sets: RwLock<Sets>,
    /// What is being done instead of answering; `None` once commands run.
    warmup: RwLock<Option<String>>,
    running: AtomicBool,
    active: Mutex<Vec<(u64, String, Instant)>>,
    next_call: AtomicU64,
}

#[derive(Default)]
struct Sets {
    by_method: HashMap<String, Arc<dyn CommandSet>>,
    /// Category and name of the commands that `help` lists, and of the hidden ones.
    listed: Vec<(String, String)>,
}

impl Default for Registry {
    fn default() -> Self {
        Registry::new()
    }
}

impl Registry {
    /// Makes a registry without commands, warming up.
    pub fn new() -> Self {
        Registry {
            sets: RwLock::default(),
            warmup: RwLock::new(Some("RPC server started".to_owned())),
            running: AtomicBool::new(true),
            active: Mutex::default(),
            next_call: AtomicU64::new(0),
        }
    }

    /// Adds commands. A method that is there already stays with its first set.
    pub fn add(&self, set: Arc<dyn CommandSet>) {
        let commands = set.commands();
        let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        for command in commands {
            if sets.by_method.contains_key(&command.name) {
                continue;
            }
            sets.by_method.insert(command.name.clone(), set.clone());
            let category = if command.hidden { "hidden".to_owned() } else { command.category };
            sets.listed.push((category, command.name));
        }
        sets.listed.sort_by_cached_key(|(category, name)| format!("{category}{name}"));
    }

    /// Sets what every request is told while the program starts.
    pub fn set_warmup(&self, status: &str) {
        *self.warmup.write().unwrap_or_else(PoisonError::into_inner) = Some(status.to_owned());
    }

    /// Lets commands run.
    pub fn finish_warmup(&self) {
        *self.warmup.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Says whether commands may go on; one that waits asks this and gives up once it is false.
    pub fn is_running(&self) -> bool {
        self.running.load(Ordering::SeqCst)
    }

    /// Asks commands that wait to give up.
    pub fn interrupt(&self) {
        self.running.store(false, Ordering::SeqCst);
    }

    /// Returns an error if the program is shutting down; for commands that wait.
    pub fn interruption_point(&self) -> Result<(), RpcError> {
        if self.is_running() { Ok(()) } else { Err(RpcError::not_connected("Shutting down")) }
    }

    /// Runs a command. A panic in it is answered as an error of the program.
    pub fn execute(&self, request: &Request) -> RpcResult {
        self.run(request, |set| set.execute(request))
    }

    /// The same with the result as JSON text at the end of `out`, where a command that fails may leave something too.
    pub(crate) fn answer(&self, request: &Request, out: &mut Vec<u8>) -> Result<(), RpcError> {
        self.run(request, |set| set.answer(request, out))
    }

    /// Calls `run` if the command takes next to no time, and none to wait, until `run` returns.
    pub(crate) fn at_once(&self, request: &Request, run: &mut dyn FnMut()) {
        if let Some(set) = self.find(&request.method).filter(|_| self.is_warm()) {
            set.at_once(&request.method, run);
        }
    }

    /// Says whether a command is carried out by another process.
    pub(crate) fn runs_elsewhere(&self, method: &str) -> bool {
        self.find(method).is_some_and(|set| set.runs_elsewhere())
    }

    fn is_warm(&self) -> bool {
        self.warmup.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    fn run<T>(
        &self,
        request: &Request,
        command: impl FnOnce(&dyn CommandSet) -> Result<T, RpcError>,
    ) -> Result<T, RpcError> {
        if let Some(status) = self.warmup.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            return Err(RpcError::in_warmup(status));
        }
        let set = self.find(&request.method).ok_or_else(RpcError::method_not_found)?;
        let _active = Registry::enter(self, &request.method);
        let answer = catch_unwind(AssertUnwindSafe(|| command(&*set))).unwrap_or_else(|_| {
            log::error!("RPC command {} panicked", request.method);
            Err(RpcError::misc(format!("Internal bug detected: RPC command {} panicked", request.method)))
        });
        // Any parameter can be or hold a private key, of which the functions that returned have left copies.
        if !matches!(&request.params, Value::Array(params) if params.is_empty()) {
            secret::wipe_stack();
        }
        answer
    }

    /// Has a command run elsewhere, if it does that; `None` if it is to be run with [`Self::execute`].
    pub(crate) fn start(
        self: &Arc<Self>,
        request: &Request,
    ) -> Option<impl Future<Output = Result<Box<RawValue>, RpcError>> + Send + use<>> {
        if !self.is_warm() {
            return None;
        }
        let started = self.find(&request.method)?.start(request)?;
        let active = Registry::enter(self.clone(), &request.method);
        Some(async move {
            let _active = active;
            started.await
        })
    }

    /// Returns the help text of one command, or the list of all.
    pub fn help(&self, command: Option<&str>) -> String {
        match command {
            Some(name) => self
                .find(name)
                .and_then(|set| set.help(name))
                .unwrap_or_else(|| format!("help: unknown command: {name}")),
            None => self.help_list(),
        }
    }

    fn help_list(&self) -> String {
        let listed = self.sets.read().unwrap_or_else(PoisonError::into_inner).listed.clone();
        let mut lines = Vec::new();
        let mut current = String::new();
        for (category, name) in listed.into_iter().filter(|(category, _)| category != "hidden") {
            let Some(help) = self.find(&name).and_then(|set| set.help(&name)) else { continue };
            if category != current {
                if !current.is_empty() {
                    lines.push(String::new());
                }
                lines.push(format!("== {} ==", capitalised(&category)));
                current = category;
            }
            lines.push(help.lines().next().unwrap_or_default().to_owned());
        }
        lines.join("\n")
    }

    /// Returns `[command, position, argument, is a string]` for every argument.
    pub fn conversions(&self) -> Vec<Value> {
        let mut sets: Vec<Arc<dyn CommandSet>> = Vec::new();
        for set in self.sets.read().unwrap_or_else(PoisonError::into_inner).by_method.values() {
            if !sets.iter().any(|known| Arc::ptr_eq(known, set)) {
                sets.push(set.clone());
            }
        }
        sets.iter().flat_map(|set| set.conversions()).collect()
    }

    /// Returns the commands that run now, the oldest first.
    pub fn active(&self) -> Vec<ActiveCommand> {
        let active = self.lock_active();
        active
            .iter()
            .map(|(_, method, since)| ActiveCommand { method: method.clone(), duration: since.elapsed() })
            .collect()
    }

    fn find(&self, method: &str) -> Option<Arc<dyn CommandSet>> {
        self.sets.read().unwrap_or_else(PoisonError::into_inner).by_method.get(method).cloned()
    }

    fn lock_active(&self) -> MutexGuard<'_, Vec<(u64, String, Instant)>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter<R: Deref<Target = Registry>>(registry: R, method: &str) -> ActiveGuard<R> {
        let call = registry.next_call.fetch_add(1, Ordering::Relaxed);
        registry.lock_active().push((call, method.to_owned(), Instant::now()));
        ActiveGuard { registry, call }
    }
}

/// Takes a command off the list of running ones, also when it panics.
struct ActiveGuard<R: Deref<Target = Registry>> {
    registry: R,
    call: u64,
}

impl<R: Deref<Target = Registry>> Drop for ActiveGuard<R> {
    fn drop(&mut self) {
        self.registry.lock_active().retain(|(call, ..)| *call != self.call);
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Command, Table};

    const fn command(
        name: &'static str,
        category: &'static str,
        run: fn(&(), &crate::Call<'_>) -> RpcResult,
    ) -> Command<()> {
        Command { name, category, args: &[], description: "Does.", result: &[], examples: &[], run }
    }

    static COMMANDS: &[Command<()>] = &[
        command("beta", "zoo", |(), _| Ok(json!("beta"))),
        command("alpha", "zoo", |(), _| Ok(json!("alpha"))),
        command("gamma", "air", |(), _| Ok(json!("gamma"))),
        command("secret", "hidden", |(), _| panic!("told you")),
    ];

    #[test]
    fn warm_up_then_commands() {
        let registry = Registry::new();
        registry.add(Arc::new(Table::new(Arc::new(()), &[COMMANDS])));
        let check = |method: &str, expected: Result<&str, (i32, &str)>| {
            let got = registry.execute(&Request::new(method, vec![])).map_err(|error| (error.code, error.message));
            assert_eq!(got, expected.map(|text| json!(text)).map_err(|(code, text)| (code, text.to_owned())));
        };
        check("alpha", Err((-28, "RPC server started")));
        registry.set_warmup("Loading block index…");
        check("nonsense", Err((-28, "Loading block index…")));
        registry.finish_warmup();
        check("alpha", Ok("alpha"));
        check("nonsense", Err((-32601, "Method not found")));
        check("secret", Err((-1, "Internal bug detected: RPC command secret panicked")));
        assert_eq!(registry.active(), vec![]);
    }

    #[test]
    fn help_of_all_and_of_one() {
        let registry = Registry::new();
        registry.add(Arc::new(Table::new(Arc::new(()), &[COMMANDS])));
        assert_eq!(registry.help(None), "== Air ==\ngamma\n\n== Zoo ==\nalpha\nbeta");
        assert_eq!(registry.help(Some("secret")), "secret\n\nDoes.\n");
        assert_eq!(registry.help(Some("x")), "help: unknown command: x");
    }
}
